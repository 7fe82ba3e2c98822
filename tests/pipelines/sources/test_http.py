"""Deliveries from the web: what is published lands, and every bad answer is a clear one."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.addresses import Address, load_addresses
from contracts.catalogue import load_catalogue
from contracts.errors import ExlakeError
from contracts.yaml_text import ContractInvalidError
from pipelines.engine.delivery import effective
from pipelines.engine.ledgers import DELIVERY, Ledgers
from pipelines.engine.settings import Settings, load_settings
from pipelines.sources.fetching import Fetched, fetch
from pipelines.sources.formats import matches
from pipelines.sources.http_source import HttpSource, Manners
from tests.pipelines.sources.drops import KX_REST
from tests.pipelines.sources.web import Web, body, endless, serving, silent, status, truncated

DAY, HOLIDAY = date(2026, 1, 5), date(2026, 1, 1)
QUOTE = (
    '{"PRODUCTID":"cu_f","DELIVERYMONTH":"2603","VOLUME":"%s","OPENINTEREST":2,"SETTLEMENTPRICE":3,'
    + KX_REST
    + "}"
)
SHFE, INE = "/shfe/kx20260105.dat", "/ine/kx20260105.dat"


def quotes(volume: object = 1, day: str = "20260105") -> bytes:
    """A published document of one contract."""
    return f'{{"o_curinstrument":[{QUOTE % volume}],"report_date":"{day}"}}'.encode()


@dataclass
class Desk:
    """A lake, a web server, and the addresses that lead to it."""

    web: Web
    settings: Settings

    def addresses(self, *exchanges: str) -> tuple[Address, ...]:
        """Daily quotes of these exchanges at the server (which has no certificate)."""
        prefix = {"shfe": "", "ine": "ine_"}
        return tuple(
            Address.model_construct(
                dataset="quote_daily", url=f"{self.web.base}/{exchange}/kx{{date}}.dat",
                file=f"{prefix[exchange]}kx{{date}}.dat", hosts=("127.0.0.1",),
                valid_from=date(2002, 1, 7), valid_to=None,
            )
            for exchange in exchanges
        )  # fmt: skip

    def fetch(self, *exchanges: str, dates: tuple[date, ...] = (DAY,)) -> Fetched:
        """Ask them all."""
        chosen = self.addresses(*(exchanges or ("shfe",)))
        return fetch(self.settings, load_catalogue(), dates, "quote_daily", addresses=chosen)

    def source(self, **manners: Any) -> HttpSource:
        """A source that never really waits; ``waits`` collects what it would have."""
        given = Manners(**{"pause": 0.0, "timeout": 1.0, **manners})
        self.waits: list[float] = []
        return HttpSource(
            self.addresses("shfe"), (DAY,), self.settings.landing / "http", given,
            wait=self.waits.append,
        )  # fmt: skip

    def ledger(self) -> list[Any]:
        """Every delivery recorded."""
        return Ledgers(self.settings.ops, self.settings.locks).read(DELIVERY)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk for one test."""
    with serving() as web:
        yield Desk(web, load_settings(environ={}, home=tmp_path / "lake", http_pause_seconds=0.0))


def test_a_published_file_lands_once_with_the_answer_as_evidence(desk: Desk) -> None:
    """The body byte for byte, and beside it who answered what and when; asked again: nothing."""
    desk.web.at(SHFE, body(quotes(), etag='"a"'))
    (landed,) = desk.fetch().deliveries
    copy = desk.settings.home / landed.path
    assert copy.read_bytes() == quotes()
    said = json.loads(copy.with_name(copy.name + ".response.json").read_text())
    assert said["url"] == said["answered_by"] == desk.web.base + SHFE
    assert (said["status"], said["sha256"]) == (200, landed.sha256)
    assert desk.fetch() == Fetched((), (), ())
    assert desk.web.asked[-1][1]["if-none-match"] == '"a"'
    assert len(desk.ledger()) == 1


def test_without_validators_the_same_content_is_no_second_delivery(desk: Desk) -> None:
    """A server that knows no ETag sends all again; the checksum tells that nothing is new."""
    desk.web.at(SHFE, body(quotes()))
    assert len(desk.fetch().deliveries) == 1
    assert desk.fetch().deliveries == ()


def test_a_republished_file_is_a_new_delivery_in_the_place_of_the_old(desk: Desk) -> None:
    """What an exchange corrects counts from then on; the first version stays as evidence."""
    desk.web.at(SHFE, body(quotes(1), etag='"a"'), body(quotes(2), etag='"b"'))
    desk.fetch()
    (second,) = desk.fetch().deliveries
    assert effective(desk.ledger()).delivery_ids == (second.delivery_id,)


@pytest.mark.parametrize("order", [("shfe", "ine"), ("ine", "shfe")])
def test_two_exchanges_publish_apart_and_add_up(desk: Desk, order: tuple[str, str]) -> None:
    """Whichever comes first, both files count; without the main one the date is partial."""
    desk.web.at(SHFE, body(quotes(1)))
    desk.web.at(INE, body(quotes(2)))
    desk.fetch(order[0])
    first = effective(desk.ledger())
    assert first.completeness == ("complete" if order[0] == "shfe" else "partial")
    desk.fetch(order[1])
    both = effective(desk.ledger())
    assert (both.completeness, len(both.steps)) == ("complete", 2)
    desk.web.at(SHFE, body(quotes(3)))
    desk.fetch("shfe")
    assert len(effective(desk.ledger()).steps) == 2


def test_a_holiday_s_empty_reply_lands_and_a_changed_page_does_not(desk: Desk) -> None:
    """No data on a holiday is no error; a page in place of data is one, by name, and is retried."""
    desk.web.at("/shfe/kx20260101.dat", body(b'{"o_curinstrument":[],"report_date":"20260101"}'))
    desk.web.at(SHFE, body(b"<html>moved</html>", etag='"a"'))
    found = desk.fetch(dates=(HOLIDAY, DAY)).deliveries
    assert {d.interval: (d.status, d.error_code) for d in found} == {
        "2026-01-01": ("landed", None), "2026-01-05": ("refused", "delivery-malformed")
    }  # fmt: skip
    assert desk.fetch().deliveries == ()
    assert "if-none-match" not in desk.web.asked[-1][1], "a refused page is read again in full"


def test_nothing_there_yet_is_told_and_no_error(desk: Desk) -> None:
    """404 before publication: named, nothing recorded."""
    assert desk.fetch() == Fetched((), (desk.web.base + SHFE,), ())
    assert desk.ledger() == []


BUSY = {
    "503": (status(503), "answered 503"),
    "429 with a date": (status(429, retry_after="Mon, 05 Jan 2099 00:00:00 GMT"), "answered 429"),
    "truncated": (truncated(quotes()), "RemoteProtocolError"),
    "silence": (silent(3.0), "ReadTimeout"),
}


@pytest.mark.parametrize("kind", BUSY)
def test_what_may_pass_is_asked_again_and_then_told(desk: Desk, kind: str) -> None:
    """Transient: with growing pauses, a bounded number of times; then the next try succeeds."""
    answer, reason = BUSY[kind]
    source = desk.source(timeout=0.3, attempts=3)
    desk.web.at(SHFE, answer)
    assert list(source.offers()) == []
    (problem,) = source.problems
    assert (problem.code, problem.transient) == ("source-unavailable", True)
    assert reason in str(problem)
    assert len(desk.waits) == 2
    assert desk.waits[-1] <= Manners().longest_wait
    source = desk.source(timeout=0.3, attempts=3)
    desk.web.at(SHFE, answer, body(quotes()))
    assert len(list(source.offers())) == 1
    assert source.problems == []


def test_a_server_says_how_long_to_wait(desk: Desk) -> None:
    """Retry-After is kept to, up to the longest pause."""
    source = desk.source()
    desk.web.at(SHFE, status(429, retry_after="7"), status(429, retry_after="9999"), body(b"{}"))
    assert len(list(source.offers())) == 1
    assert desk.waits == [7.0, Manners().longest_wait]


def test_a_drip_of_bytes_ends(desk: Desk) -> None:
    """A body that takes too long is given up although something always comes."""

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.close_connection = True
        for _ in range(100):
            request.wfile.write(b" " * 70_000)
            request.wfile.flush()
            threading.Event().wait(0.05)

    source = desk.source(total=0.3, attempts=1)
    desk.web.at(SHFE, drip)
    assert list(source.offers()) == []
    assert "TooSlow" in str(source.problems[0])


TERMINAL = {
    "forbidden": (status(403), "source-refused"),
    "endless": (endless, "source-too-large"),
    "another host": (status(302, location="http://localhost/kx.dat"), "source-redirect"),
    "a file": (status(302, location="file:///etc/passwd"), "source-redirect"),
    "in circles": (status(302, location=SHFE), "source-redirect"),
    "nowhere": (status(302), "source-redirect"),
}


@pytest.mark.parametrize("kind", TERMINAL)
def test_what_cannot_pass_fails_at_once_and_stops_no_other(desk: Desk, kind: str) -> None:
    """Terminal: asked once (a circle apart), nothing stored, the next address is still asked."""
    answer, code = TERMINAL[kind]
    desk.web.at(SHFE, answer)
    desk.web.at(INE, body(quotes()))
    source = replace(desk.source(limit=1_000_000), addresses=desk.addresses("shfe", "ine"))
    offers = list(source.offers())
    assert [o.file for o in offers] == ["ine_kx20260105.dat"]
    assert [(p.code, p.transient) for p in source.problems] == [(code, False)]
    assert desk.waits == []


def test_a_redirect_within_the_publisher_is_followed(desk: Desk) -> None:
    """And the evidence names who answered."""
    desk.web.at(SHFE, status(301, location="/moved.dat"))
    desk.web.at("/moved.dat", body(quotes()))
    (landed,) = desk.fetch().deliveries
    copy = desk.settings.home / landed.path
    said = json.loads(copy.with_name(copy.name + ".response.json").read_text())
    assert said["answered_by"] == desk.web.base + "/moved.dat"


def test_requests_to_one_host_keep_their_distance(desk: Desk) -> None:
    """Two addresses of one host are a pause apart."""
    desk.web.at(SHFE, body(quotes()))
    desk.web.at(INE, body(quotes()))
    source = replace(desk.source(pause=5.0), addresses=desk.addresses("shfe", "ine"))
    assert len(list(source.offers())) == 2
    assert len(desk.waits) == 1
    assert 4.0 < desk.waits[0] <= 5.0


def test_a_certificate_nobody_vouches_for_is_refused(desk: Desk, tmp_path: Path) -> None:
    """TLS is verified: a self-signed server is told nothing and believed nothing."""
    with _self_signed(tmp_path) as port:
        address = Address.model_construct(
            dataset="quote_daily", url=f"https://localhost:{port}/kx{{date}}.dat",
            file="kx{date}.dat", hosts=("localhost",), valid_from=date(2002, 1, 7), valid_to=None,
        )  # fmt: skip
        source = replace(desk.source(), addresses=(address,))
        assert list(source.offers()) == []
    assert source.problems[0].code == "source-untrusted"


def _self_signed(folder: Path) -> Any:
    from contextlib import contextmanager

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )

    @contextmanager
    def running() -> Iterator[int]:
        server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client hangs up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()

    return running()


def test_our_addresses_are_sound_and_their_files_are_recognised() -> None:
    """Every address is https at its own host, and its file belongs to its dataset."""
    catalogue = load_catalogue()
    bronze = [c for c in catalogue.layer("bronze") if c.formats]
    addresses = load_addresses()
    assert {a.dataset for a in addresses} == {
        "quote_daily", "member_rank_daily", "warehouse_stock_daily"
    }  # fmt: skip
    for address in addresses:
        day = max(address.valid_from, date(2024, 6, 3))
        found = matches(bronze, f"http/{address.file_of(day)}")
        assert {(m.contract.name, m.interval) for m in found} == {(address.dataset, day)}


GOOD = {
    "dataset": "x", "url": "https://a.cn/{date}", "file": "x{date}", "hosts": ["a.cn"],
    "valid_from": date(2020, 1, 1),
}  # fmt: skip
WRONG: list[dict[str, object]] = [
    {"url": "http://a.cn/{date}"},
    {"url": "https://b.cn/{date}"},
    {"url": "https://u:p@a.cn/{date}"},
    {"url": "https://a.cn/"},
    {"file": "../x{date}"},
    {"valid_to": date(2019, 1, 1)},
    {"colour": "red"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_address_that_cannot_be_trusted_is_refused(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    """Plain http, another host, a password, no date, a path, a period upside down, unknown keys."""
    file = tmp_path / "addresses.yaml"
    file.write_text(yaml.safe_dump({"addresses": [GOOD]}))
    assert len(load_addresses(file)) == 1
    file.write_text(yaml.safe_dump({"addresses": [GOOD | wrong]}))
    with pytest.raises(ContractInvalidError):
        load_addresses(file)


def test_errors_of_addresses_are_typed(desk: Desk) -> None:
    """Each says the interval and the next step, as every error here does."""
    desk.web.at(SHFE, status(403))
    (problem,) = desk.fetch().problems
    assert isinstance(problem, ExlakeError)
    assert problem.interval == "2026-01-05"
    assert problem.next_step
