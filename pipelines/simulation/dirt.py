"""What real deliveries suffer: each kind spoils one delivery and says what must come of it.

A kind is a function of a random stream and a delivery; it returns the deliveries to send in its
place and one truth record. Rows are only spoiled where nothing else has to tie with them (orders
without fills), except for the kinds that are meant to break a sum.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from pipelines.simulation.deliveries import Outgoing, gzip_bytes, resent

Rows = list[list[str]]


@dataclass(frozen=True)
class Spoiled:
    """The deliveries sent instead of one clean delivery, and the truth about them."""

    deliveries: tuple[Outgoing, ...]
    truth: dict[str, Any]


Dirt = Callable[[np.random.Generator, Outgoing, date], Spoiled | None]


def read_rows(delivery: Outgoing) -> tuple[list[str], Rows]:
    """Return header and rows of a CSV delivery."""
    lines = gzip.decompress(delivery.data).decode("utf-8").split("\n")
    return lines[0].split(","), [line.split(",") for line in lines[1:] if line]


def with_rows(delivery: Outgoing, header: Sequence[str], rows: Rows) -> Outgoing:
    """Return the delivery with other rows."""
    text = "\n".join([",".join(header), *(",".join(row) for row in rows)]) + "\n"
    return replace(delivery, data=gzip_bytes(text.encode("utf-8")), rows=len(rows))


def spoil_orders(column: str, change: Callable[[str], str], rule: str, count: int = 3) -> Dirt:
    """Spoil one column of every event of some orders that never traded: they are quarantined."""

    def spoil(rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
        header, rows = read_rows(delivery)
        at = {name: i for i, name in enumerate(header)}
        order, kind = at["order_id"], at["event_type"]
        filled = {row[order] for row in rows if row[kind] == "FILL"}
        candidates = [
            row[order] for row in rows
            if row[kind] == "NEW" and row[order] not in filled and row[at["price"]]
        ]  # fmt: skip
        if not candidates:
            return None
        number = min(count, len(candidates))
        chosen = {candidates[i] for i in rng.choice(len(candidates), number, replace=False)}
        touched = [row for row in rows if row[order] in chosen]
        for row in touched:
            row[at[column]] = change(row[at[column]])
        truth = _truth(delivery, rule, "landed", "quarantine")
        truth["keys"] = [row[at["event_id"]] for row in touched]
        return Spoiled((with_rows(delivery, header, rows),), truth)

    return spoil


def spoil_login(rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A login of a client that does not exist: quarantined."""
    header, rows = read_rows(delivery)
    row = rows[int(rng.integers(len(rows)))]
    row[header.index("client_id")] = "99999999"
    truth = _truth(delivery, "login.client.known", "landed", "quarantine")
    truth["keys"] = [row[header.index("login_id")]]
    return Spoiled((with_rows(delivery, header, rows),), truth)


def duplicate_row(rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A login told twice: of two rows with one key the later one is quarantined."""
    header, rows = read_rows(delivery)
    at = int(rng.integers(len(rows)))
    rows.insert(at + 1, list(rows[at]))
    truth = _truth(delivery, "login.key.unique", "landed", "quarantine")
    truth["keys"] = [rows[at][header.index("login_id")]]
    return Spoiled((with_rows(delivery, header, rows),), truth)


def column_retyped(_rng: np.random.Generator, delivery: Outgoing, later: date) -> Spoiled | None:
    """Every time of a file in another form: no row is left, so the gate blocks; the whole file is
    sent again on the next trade date."""
    header, rows = read_rows(delivery)
    at = header.index("login_time")
    broken = [[*r[:at], f"{r[at][8:10]}/{r[at][5:7]}/{r[at][:4]} {r[at][11:]}", *r[at + 1 :]]
              for r in rows]  # fmt: skip
    truth = _truth(delivery, "login.parsed", "landed", "block")
    truth["blocked"] = [truth["product"]]
    truth["corrected"] = True
    again = _at(resent(delivery, _next_sequence(delivery), 0), later)
    return Spoiled((with_rows(delivery, header, broken), again), truth)


def truncated(rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A file cut short: refused by its checksum; the whole file is sent again half an hour on."""
    cut = delivery.data[: int(len(delivery.data) * rng.uniform(0.4, 0.9))]
    whole = delivery.manifest()
    broken = replace(
        delivery, data=cut, claimed_bytes=whole["bytes"], claimed_sha256=whole["sha256"]
    )
    truth = _truth(delivery, "delivery-checksum", "refused", "publish")
    return Spoiled((broken, resent(delivery, _next_sequence(delivery), 30)), truth)


def gb18030(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A file in GB18030 whose manifest says so: read like any other."""
    truth = _truth(delivery, "", "landed", "publish")
    return Spoiled((_recoded(delivery, "gb18030"),), truth)


def wrong_encoding(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A file in GB18030 whose manifest says UTF-8: refused, then sent again in UTF-8."""
    broken = _recoded(delivery, "utf-8")
    if broken.data == delivery.data:
        return None
    truth = _truth(delivery, "delivery-encoding", "refused", "publish")
    return Spoiled((broken, resent(delivery, _next_sequence(delivery), 45)), truth)


def duplicate(_rng: np.random.Generator, delivery: Outgoing, later: date) -> Spoiled | None:
    """The same delivery once more on the next trade date: nothing happens."""
    truth = _truth(delivery, "", "duplicate", "publish")
    return Spoiled((delivery, replace(delivery, arrives=later)), truth)


def late(_rng: np.random.Generator, delivery: Outgoing, later: date) -> Spoiled | None:
    """A file that arrives with the next trade date's: its interval waits for it."""
    truth = _truth(delivery, "", "late", "publish")
    return Spoiled((_at(delivery, later),), truth)


def missing(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A file that never arrives: nothing can be published of it."""
    return Spoiled((), _truth(delivery, "", "missing", "none"))


def column_added(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """An unannounced column: refused as schema drift, then sent again as agreed."""
    header, rows = read_rows(delivery)
    broken = with_rows(delivery, [*header, "remark"], [[*row, ""] for row in rows])
    return _drifted(delivery, broken)


def column_renamed(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A renamed column: refused as schema drift, then sent again as agreed."""
    header, rows = read_rows(delivery)
    renamed = [f"{name}_no" if name == "client_id" else name for name in header]
    if renamed == header:
        renamed = [header[0] + "_x", *header[1:]]
    return _drifted(delivery, with_rows(delivery, renamed, rows))


def corrected_trade(rng: np.random.Generator, delivery: Outgoing, later: date) -> Spoiled | None:
    """Two trades stamped too late, corrected (both legs) on the next trade date."""
    header, rows = read_rows(delivery)
    stamp, trade = header.index("trade_time"), header.index("trade_id")
    numbers = sorted({row[trade] for row in rows}, key=int)
    middle = numbers[len(numbers) // 4 : len(numbers) // 2]
    chosen = {middle[i] for i in rng.choice(len(middle), 2, replace=False)}
    right = [list(row) for row in rows if row[trade] in chosen]
    for row in rows:
        if row[trade] in chosen:
            row[stamp] = row[stamp][:20] + f"{(int(row[stamp][20:]) + 1) % 1_000_000:06d}"
    first = with_rows(delivery, header, rows)
    second = replace(
        _at(resent(with_rows(delivery, header, right), _next_sequence(delivery), 0), later),
        mode="correction",
    )
    truth = _truth(delivery, "", "landed", "publish")
    truth["keys"] = sorted(chosen, key=int)
    truth["corrected"] = True
    return Spoiled((first, second), truth)


def sum_off(rng: np.random.Generator, delivery: Outgoing, later: date) -> Spoiled | None:
    """One contract settled with a lot too many: orders and trades do not tie until corrected."""
    header, rows = read_rows(delivery)
    volume = header.index("volume_lots")
    traded = [row for row in rows if int(row[volume]) > 0]
    row = traded[int(rng.integers(len(traded)))]
    right = list(row)
    row[volume] = str(int(row[volume]) + 1)
    first = with_rows(delivery, header, rows)
    second = replace(
        _at(resent(with_rows(delivery, header, [right]), _next_sequence(delivery), 0), later),
        mode="correction",
    )
    truth = _truth(delivery, "order_event.volume.settled", "landed", "block")
    # Trades would not tie either, but wait for the orders: their rules read them.
    truth["product"] = "silver.order_event"
    truth["blocked"] = ["silver.order_event"]
    truth["keys"] = [right[header.index("contract_id")]]
    truth["corrected"] = True
    return Spoiled((first, second), truth)


def back_dated(_rng: np.random.Generator, delivery: Outgoing, _: date) -> Spoiled | None:
    """A change that was true three days before it is told: the past is known better, published."""
    header, rows = read_rows(delivery)
    change, since = header.index("change_type"), header.index("valid_from")
    for row in rows:
        if row[change] == "U":
            row[since] = f"{delivery.trade_date - timedelta(3):%Y%m%d}"
            truth = _truth(delivery, "", "landed", "publish")
            truth["keys"] = [row[0]]
            return Spoiled((with_rows(delivery, header, rows),), truth)
    return None


def off_tick(price: str) -> str:
    """One hundredth more: no contract's tick is that fine."""
    return f"{price[:-1]}{(int(price[-1]) + 1) % 10}" if price else price


ORDER_KINDS: Final[dict[str, Dirt]] = {
    "off_tick_price": spoil_orders("price", off_tick, "order_event.price.tick"),
    "negative_price": spoil_orders("price", lambda p: f"-{p}", "order_event.price.range", 1),
    "unknown_client": spoil_orders(
        "client_id", lambda _: "99999999", "order_event.client.known", 1
    ),
    "wrong_code": spoil_orders("contract_id", str.upper, "order_event.contract.known", 1),
    "retyped": spoil_orders("lots", lambda lots: f"{lots} lots", "order_event.parsed", 1),
}
CSV_KINDS: Final[dict[str, Dirt]] = {
    "truncated": truncated,
    "duplicate": duplicate,
    "late": late,
    "missing": missing,
    "column_added": column_added,
    "column_renamed": column_renamed,
}
TEXT_KINDS: Final[dict[str, Dirt]] = {"gb18030": gb18030, "wrong_encoding": wrong_encoding}
OWN_KINDS: Final[dict[str, dict[str, Dirt]]] = {
    "order_event": ORDER_KINDS,
    "login": {
        "unknown_login_client": spoil_login,
        "duplicate_row": duplicate_row,
        "column_retyped": column_retyped,
    },
    "trade": {"corrected_trade": corrected_trade},
    "settlement": {"sum_off": sum_off},
    "client": {"back_dated": back_dated, **TEXT_KINDS},
    "member": TEXT_KINDS,
    "news_article": TEXT_KINDS,
}


def _truth(delivery: Outgoing, rule: str, land: str, gate: str) -> dict[str, Any]:
    """``land``: landed, refused, duplicate, late or missing; ``gate``: publish, quarantine,
    block or none; ``rule``: the rule or error code that must say so; ``keys``: the spoiled rows,
    which with ``quarantine`` are the rows that must leave, units included; ``blocked``: the
    products whose interval the gate must block; ``corrected``: a later delivery mends it."""
    return {
        "kind": "dirty",
        "dataset": delivery.dataset,
        "product": f"silver.{delivery.dataset}",
        "interval": delivery.trade_date.isoformat(),
        "file": delivery.file,
        "sequence": delivery.sequence,
        "rule": rule,
        "land": land,
        "gate": gate,
        "keys": [],
        "blocked": [],
        "corrected": False,
    }


def _drifted(delivery: Outgoing, broken: Outgoing) -> Spoiled:
    truth = _truth(delivery, "delivery-schema", "refused", "publish")
    return Spoiled((broken, resent(delivery, _next_sequence(delivery), 60)), truth)


def _next_sequence(delivery: Outgoing) -> int:
    return (delivery.parts or delivery.sequence) + 1


def _recoded(delivery: Outgoing, claimed: str) -> Outgoing:
    packed = delivery.file.endswith(".gz")
    plain = gzip.decompress(delivery.data) if packed else delivery.data
    data = plain.decode("utf-8").encode("gb18030")
    return replace(delivery, data=gzip_bytes(data) if packed else data, encoding=claimed)


def _at(delivery: Outgoing, later: date) -> Outgoing:
    moved = later - delivery.generated_at.date()
    return replace(
        delivery, arrives=later, generated_at=delivery.generated_at + moved - timedelta(hours=6)
    )
