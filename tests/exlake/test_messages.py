"""Messages of changes: one per change, over real local servers, and never a run's problem."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from exlake.lake import open_lake
from exlake.messages.changes import BAD, GOOD, Standing, grouped, told, untold
from exlake.messages.channels import quiet
from exlake.messages.outbox import tell_changes, tell_watch
from pipelines.engine.faults import VARIABLE
from pipelines.engine.ledgers import INTERVAL, MESSAGE
from pipelines.engine.rows import MessageRow
from tests.exlake.steward_desk import DAY, interval_row, plant

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
"""18:00 in Beijing: no digest yet."""


class Mailbox:
    """A real SMTP server that keeps what it gets; it asks for a password."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.seen: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep a mail."""
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 kept"

    def check(self, server: Any, session: Any, envelope: Any, how: str, data: Any) -> AuthResult:
        """Let anybody in, and remember who came."""
        self.seen.append((data.login, data.password))
        return AuthResult(success=True)


class Hook(BaseHTTPRequestHandler):
    """A real web server that keeps what is posted; it answers what it was told to."""

    kept: list[tuple[str, dict[str, Any]]]
    answer = 200

    def do_POST(self) -> None:
        """Keep what came."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).kept.append((self.headers["Idempotency-Key"], body))
        self.send_response(type(self).answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def hook() -> Iterator[tuple[type[Hook], str]]:
    """A web server on a free port."""

    class Kept(Hook):
        kept = []  # noqa: RUF012

    server = HTTPServer(("127.0.0.1", 0), Kept)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Kept, f"http://127.0.0.1:{server.server_port}/hook/hunter2"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """A mail server on a free port."""
    box = Mailbox()
    with socket.socket() as free_port:
        free_port.bind(("127.0.0.1", 0))
        port = free_port.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=box.check, auth_require_tls=False
    )
    controller.start()
    yield box, f"smtp://ana:hunter2@127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with a blocked day and what waits for it."""
    lake = tmp_path / "lake"
    monkeypatch.setenv("EXLAKE_HOME", str(lake))
    ledgers = plant(lake)
    ledgers.append((INTERVAL, [
        interval_row(p, state="held", waiting_on=f"silver.trade {DAY}")
        for p in ("gold.client_day", "gold.member_day")
    ]))  # fmt: skip
    return lake


def free() -> None:
    """Everything is published again."""
    products = ("silver.trade", "gold.client_day", "gold.member_day")
    open_lake().ledgers.append((INTERVAL, [interval_row(p, reasons=()) for p in products]))


def test_each_change_is_told_once_by_mail_and_webhook(
    home: Path, monkeypatch: pytest.MonkeyPatch, mailbox: tuple[Mailbox, str]
) -> None:
    """Blocked, held and recovered: one message each, in two languages, whatever runs again."""
    box, address = mailbox
    with hook() as (kept, url):
        monkeypatch.setenv("EXLAKE_MESSAGES_SMTP", address)
        monkeypatch.setenv("EXLAKE_MESSAGES_TO", "ana@example.org, bo@example.org")
        monkeypatch.setenv("EXLAKE_MESSAGES_WEBHOOK", url)
        for _ in range(3):
            tell_changes(open_lake(), [DAY], NOW)
        assert [body["kind"] for _, body in kept.kept] == ["blocked", "held"]
        free()
        for _ in range(2):
            tell_changes(open_lake(), [DAY], NOW)
    assert [body["kind"] for _, body in kept.kept] == ["blocked", "held", "recovered"]
    assert len({key for key, _ in kept.kept}) == 3
    assert [m["X-Exlake-Message"] for m in box.mails] == [key for key, _ in kept.kept]
    first, held, recovered = box.mails
    assert first["Subject"] == "[exlake] 被阻断 blocked: silver.trade 2026-01-05"
    assert first["To"].addresses[1].addr_spec == "bo@example.org"
    text = first.get_content()
    for said in ("数据管家 · the steward", "trade.volume.settled (critical)", "gold.member_day",
                 "analyst", "exlake explain silver.trade --interval 2026-01-05"):  # fmt: skip
        assert said in text, said
    assert "secret" not in text, "no value of a row"
    assert "gold.client_day" in held.get_content()
    assert recovered["Subject"].endswith("+2")
    assert (b"ana", b"hunter2") in box.seen


def test_what_cannot_be_sent_is_sent_later_and_stops_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is down, or points elsewhere, costs a line in the log, without secrets."""
    monkeypatch.setenv("EXLAKE_MESSAGES_SMTP", "smtp://ana:hunter2@127.0.0.1:9")
    monkeypatch.setenv("EXLAKE_MESSAGES_TO", "ana@example.org")
    with hook() as (kept, url), caplog.at_level(logging.WARNING):
        monkeypatch.setenv("EXLAKE_MESSAGES_WEBHOOK", url)
        for answer in (500, 302):
            kept.answer = answer
            tell_changes(open_lake(), [DAY], NOW)
        assert len(kept.kept) == 2, "one try per pass, nothing follows a redirect"
        kept.answer = 204
        tell_changes(open_lake(), [DAY], NOW + timedelta(hours=1))
        tell_changes(open_lake(), [DAY], NOW + timedelta(hours=2))
    assert sorted(body["kind"] for _, body in kept.kept[2:]) == ["blocked", "held"]
    rows = open_lake().ledgers.read(MESSAGE)
    assert "failed" in {r.event for r in rows if r.channel == "smtp"}
    assert "tried again later" in caplog.text
    assert "hunter2" not in caplog.text + repr(rows)
    tell_changes(open_lake(), [DAY], NOW + timedelta(days=4))
    assert "dropped" in {r.event for r in open_lake().ledgers.read(MESSAGE) if r.channel == "smtp"}


def test_hours_of_silence_keep_messages_for_later(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing leaves the machine in them; the log has it at once, the others when they end."""
    with hook() as (kept, url), caplog.at_level(logging.WARNING):
        monkeypatch.setenv("EXLAKE_MESSAGES_WEBHOOK", url)
        monkeypatch.setenv("EXLAKE_MESSAGES_QUIET", "17:30-08:00")
        tell_changes(open_lake(), [DAY], NOW)
        assert kept.kept == []
        assert "被阻断 blocked: silver.trade" in caplog.text
        tell_changes(open_lake(), [DAY], NOW + timedelta(hours=15))
        assert [body["kind"] for _, body in kept.kept] == ["blocked", "held"]
    assert not quiet("", NOW)
    assert quiet("12:00-13:00,17:59-18:01", NOW)


def test_the_watch_tells_what_is_late_and_the_day_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, then arrived: two messages; the digest comes once a trade date, after its hour."""
    with hook() as (kept, url):
        monkeypatch.setenv("EXLAKE_MESSAGES_WEBHOOK", url)
        late = [("silver.settlement", DAY)]
        tell_watch(open_lake(), late, NOW)
        tell_watch(open_lake(), late, NOW + timedelta(hours=1))
        tell_watch(open_lake(), late, NOW + timedelta(hours=2))
        kinds = [body["kind"] for _, body in kept.kept]
        assert kinds == ["blocked", "late", "held", "digest"]
        (digest,) = [body for key, body in kept.kept if key == f"digest-{DAY}"]
        assert "silver.trade 2026-01-05" in digest["text"]
        open_lake().ledgers.append((INTERVAL, [interval_row("silver.settlement", reasons=())]))
        tell_changes(open_lake(), [DAY], NOW + timedelta(hours=3))
        assert kept.kept[-1][1]["changes"][0]["product"] == "silver.settlement"
        saturday = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
        tell_watch(open_lake(), [], saturday)
        assert len(kept.kept) == 5, "no digest on a day without trading"


@pytest.mark.parametrize(("point", "copies"), [("messages-queued", 1), ("message-sent", 2)])
def test_a_killed_pass_tells_the_rest(
    home: Path, monkeypatch: pytest.MonkeyPatch, point: str, copies: int
) -> None:
    """Killed before sending, each change is told once; between sending and marking, one message
    comes a second time, under the same id."""
    with hook() as (kept, url):
        monkeypatch.setenv("EXLAKE_MESSAGES_WEBHOOK", url)
        code = (
            "from datetime import datetime; from exlake.lake import open_lake\n"
            "from exlake.messages.outbox import tell_changes\n"
            f"tell_changes(open_lake(), ['{DAY}'], datetime.fromisoformat('{NOW}'))"
        )
        # The log is told first.
        fault = f"{point}:2" if point == "message-sent" else point
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, VARIABLE: fault}, check=False,
            cwd=ROOT, capture_output=True,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        for _ in range(2):
            tell_changes(open_lake(), [DAY], NOW)
    told_kinds = [body["kind"] for _, body in kept.kept]
    assert sorted(set(told_kinds)) == ["blocked", "held"]
    assert told_kinds.count("blocked") == copies
    assert told_kinds.count("held") == 1
    assert len({key for key, _ in kept.kept}) == 2


def test_every_walk_through_states_is_told_step_by_step() -> None:
    """From any state to any other: into trouble, from one to another, and out of it."""
    for before in (None, *sorted(BAD), "published"):
        for after in sorted(BAD | GOOD):
            rows: list[MessageRow] = []
            for state in (before, after, after):
                if state is None:
                    continue
                groups = grouped(untold([Standing("p", DAY, state, "q d")], told(rows)))
                rows += [MessageRow("m", g.kind, "log", "queued", NOW, changes=g.changes)
                         for g in groups]  # fmt: skip
            expected = [s for s in (before,) if s in BAD]
            if after in BAD and after != before:
                expected.append(after)
            elif after in GOOD and before in BAD:
                expected.append("recovered")
            assert [r.kind for r in rows] == expected, (before, after)
            assert [c.number for r in rows for c in r.changes] == list(range(1, len(rows) + 1))
