"""A restatement is announced: what changed, why, by how much, and since which publication."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from catalog import changes as changes_module
from catalog.causes import turned
from catalog.earlier import edition_path
from catalog.keys import rotate_key
from catalog.publish import publish, published_path
from catalog.query import run_query
from pipelines.engine.delivery import Delivery, delivery_id, effective
from pipelines.engine.ledgers import DECISION, DELIVERY
from pipelines.engine.rows import DecisionRow, Pin
from pipelines.engine.state import State
from tests.catalog.catalog_cases import DAY1, DAY2, NOW, TRADE, TinyLake, trades

CHANGES = """SELECT product, interval, rows_before, rows_after, added, removed, changed, cause
             FROM _meta.change ORDER BY change_id"""
LOTS = f"SELECT sum(lots) FROM silver.trade WHERE trade_date = DATE '{DAY2}'"
DECIDED = datetime(2026, 1, 6, 9, tzinfo=UTC)


def ask(lake: TinyLake, sql: str, audience: str = "analyst", publication: str | None = None) -> Any:
    """Rows of an answer."""
    return run_query(
        lake.settings, lake.catalogue, sql, audience=audience, publication=publication
    ).rows


def publish_at(lake: TinyLake, minutes: int, audience: str = "analyst", force: bool = False) -> str:
    """Publish at a moment; returns the publication's id."""
    moment = NOW + timedelta(minutes=minutes)
    [done] = publish(lake.settings, lake.catalogue, audience, now=moment, force=force)
    return done.publication_id


def restate(lake: TinyLake, rows: list[dict[str, Any]], **recorded: Any) -> None:
    """Replace the second day and record the batch that did it."""
    version = lake.write("silver.trade", rows, DAY2)
    lake.record("silver.trade", DAY2, delta_version=version, **recorded)


def deliver(lake: TinyLake, sequence: int, content: str, day: str = DAY2) -> Delivery:
    """Land one full delivery of trades."""
    digest = content * 64
    landed = Delivery(
        delivery_id=delivery_id("trade", day, sequence, digest), system="trading",
        dataset="trade", interval=day, mode="full", part=None, parts=None, sequence=sequence,
        file="trade.csv", rows=6, bytes=1, sha256=digest, encoding="utf-8", format=None,
        path="landing/x", status="landed", has_manifest=True, generated_at=None,
        received_at=DECIDED,
    )  # fmt: skip
    lake.ledgers.append((DELIVERY, [landed]))
    return landed


def test_a_restatement_is_announced_with_its_cause_and_totals(lake: TinyLake) -> None:
    """Interval, rows by key, the delivery that did it, and additive totals before and after."""
    first = deliver(lake, 1, "a")
    pin = Pin("bronze.trade", DAY2, effective([first]).fingerprint)
    restate(lake, trades(DAY2), batch_id="b1", inputs=(pin,))
    before = publish_at(lake, 1)
    assert ask(lake, CHANGES) == (), "a first publication restates nothing"

    corrected = trades(DAY2)
    corrected[0] |= {"lots": 500}
    corrected[1] |= {"price": Decimal("1.0000")}
    corrected[2] |= {"trade_id": "T9"}
    second = deliver(lake, 2, "b")
    fingerprint = effective([first, second]).fingerprint
    restate(lake, corrected, batch_id="b2", inputs=(replace(pin, fingerprint=fingerprint),))
    after = publish_at(lake, 2)
    [row] = ask(lake, CHANGES)
    assert row == (
        "silver.trade", DAY2, 6, 6, 1, 1, 2, f"delivery {second.delivery_id}",
    )  # fmt: skip
    assert ask(lake, "SELECT publication_before, publication_after FROM _meta.change") == (
        (before, after),
    )
    total = "SELECT column_name, before, after FROM _meta.change_total"
    assert ask(lake, total) == (("lots", 66, 556),)
    # Yesterday's figure, from the publication that the change names; and today's.
    assert ask(lake, LOTS, publication=before) == ((66,),)
    assert ask(lake, LOTS, publication=after) == ask(lake, LOTS) == ((556,),)


def test_a_new_day_and_equal_content_are_no_change(lake: TinyLake) -> None:
    """Only what readers saw otherwise before is announced."""
    publish_at(lake, 1)
    lake.write("silver.trade", trades("2026-01-07"), "2026-01-07")
    lake.write("silver.trade", trades(DAY1), DAY1)
    publish_at(lake, 2)
    assert ask(lake, CHANGES) == ()


def test_later_publications_carry_the_changes(
    lake: TinyLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carried over by updates and full rebuilds, newest kept when there are too many."""
    publish_at(lake, 0)
    for minutes in (1, 2, 3):
        restate(lake, trades(DAY2, lots=10 + minutes))
        publish_at(lake, minutes)
    publish_at(lake, 4, force=True)
    assert ask(lake, "SELECT count(*) FROM _meta.change") == ((3,),)
    monkeypatch.setattr(changes_module, "KEPT_CHANGES", 2)
    restate(lake, trades(DAY2, lots=50))
    newest = publish_at(lake, 5)
    ids = [row[0] for row in ask(lake, "SELECT publication_after FROM _meta.change ORDER BY ALL")]
    assert len(ids) == 2
    assert ids[-1] == newest


def test_withdrawn_rows_that_come_back_are_two_changes(lake: TinyLake) -> None:
    """An interval emptied and filled again was seen in three ways."""
    publish_at(lake, 0)
    lake.write("silver.trade", [], DAY2)
    publish_at(lake, 1)
    lake.write("silver.trade", trades(DAY2, lots=11), DAY2)
    publish_at(lake, 2)
    counts = "SELECT rows_before, rows_after, added, removed FROM _meta.change ORDER BY change_id"
    assert ask(lake, counts) == ((6, 0, 0, 6), (0, 6, 6, 0))


def test_every_recorded_difference_is_a_cause(lake: TinyLake) -> None:
    """Job version, contract, rules and the decision by its id, through the product in between."""
    decision = DecisionRow(
        decision_id="d-7", kind="release", product="silver.trade", reason="张三's own words",
        decided_by="steward", decided_at=DECIDED, interval=DAY2,
    )  # fmt: skip
    lake.ledgers.append((DECISION, [decision]))
    state = State(decisions=(decision,))
    decided = state.decisions_fingerprint("silver.trade", DAY2)
    restate(lake, trades(DAY2), batch_id="b1", fingerprint="f1", decisions_fingerprint="")
    publish_at(lake, 0)
    gold = lake.catalogue["gold.client_day"]
    assert gold.interval_column
    restate(lake, trades(DAY2, lots=12), batch_id="b2", fingerprint="f2", job_version=2,
            decisions_fingerprint=decided, rules_fingerprint="r2",
            contract_version="1.1.0")  # fmt: skip
    publish_at(lake, 1)
    assert ask(lake, "SELECT kind, product, what FROM _meta.change_cause ORDER BY position") == (
        ("decision", "silver.trade", "d-7"),
        ("job", "silver.trade", "silver.trade job 1 -> 2"),
        ("contract", "silver.trade", "silver.trade rules, contract 1.0.0 -> 1.1.0"),
    )
    assert "张三" not in str(ask(lake, "FROM _meta.change")), "a reason may hold anything"


def test_a_cause_is_followed_through_the_products_between(lake: TinyLake) -> None:
    """A mart's change names the delivery, not the table it was built from."""
    one, two = deliver(lake, 1, "a"), deliver(lake, 2, "b")
    prints = [effective([one]).fingerprint, effective([one, two]).fingerprint]
    for n, (pin, lots) in enumerate(zip(prints, (10, 12), strict=True)):
        restate(lake, trades(DAY2, lots=lots), batch_id=f"t{n}", fingerprint=f"t{n}",
                inputs=(Pin("bronze.trade", DAY2, pin),))  # fmt: skip
        rows = [
            {"trade_date": datetime.fromisoformat(DAY2).date(), "client_id": "00010001",
             "traded_lots": lots, "turnover": Decimal(1)}
        ]  # fmt: skip
        version = lake.write("gold.client_day", rows, DAY2)
        lake.record("gold.client_day", DAY2, batch_id=f"g{n}", delta_version=version,
                    inputs=(Pin("silver.trade", DAY2, f"t{n}"),))  # fmt: skip
        publish_at(lake, n)
    causes = dict(ask(lake, "SELECT product, cause FROM _meta.change"))
    assert causes == {
        "gold.client_day": f"delivery {two.delivery_id}",
        "silver.trade": f"delivery {two.delivery_id}",
    }


def test_changes_show_nothing_above_clearance(lake: TinyLake) -> None:
    """Invariant 9: no total of a hidden column, and none that was carried over from before."""
    publish_at(lake, 0)
    restate(lake, trades(DAY2, lots=777))
    publish_at(lake, 1)
    columns = tuple(
        c.model_copy(update={"classification": 4}) if c.name == "lots" else c for c in TRADE.columns
    )
    raised = lake.with_contracts(trade=TRADE.model_copy(update={"columns": columns}))
    restate(raised, trades(DAY2, lots=888))
    publish_at(raised, 2)
    publish_at(raised, 2, "surveillance")
    # Lots are the only thing that differs: those who may not see them are told of no change.
    assert ask(raised, "SELECT count(*) FROM _meta.change") == ((1,),)
    assert ask(raised, "SELECT count(*) FROM _meta.change_total") == ((0,),)
    path = published_path(raised.settings, "analyst")
    sums = [sum(int(r["lots"]) for r in trades(DAY2, lots=n)) for n in (777, 888)]
    with duckdb.connect(str(path), read_only=True) as file:
        rows = [row for table in META for row in file.execute(f"FROM _meta.{table}").fetchall()]
    values = {float(v) for row in rows for v in row if isinstance(v, int | float | Decimal)}
    assert values.isdisjoint(sums)
    gone = lake.with_contracts(trade=TRADE.model_copy(update={"audiences": ("surveillance",)}))
    publish_at(gone, 3)
    assert ask(gone, "SELECT count(*) FROM _meta.change") == ((0,),)


META = ("publication", "product", "interval", "column", "code", "macro",
        "change", "change_cause", "change_total")  # fmt: skip


def test_a_new_mask_key_is_no_restatement(lake: TinyLake) -> None:
    """Masked ids all differ then, and no figure does."""
    publish_at(lake, 0)
    rotate_key(lake.settings.secrets, "analyst")
    publish_at(lake, 1)
    assert ask(lake, CHANGES) == ()


def test_a_damaged_last_file_is_replaced_all_the_same(lake: TinyLake) -> None:
    """What cannot be read has no history to tell; the file is built again from the lake."""
    publish_at(lake, 0)
    path = published_path(lake.settings, "analyst")
    path.chmod(0o644)
    path.write_bytes(b"not a database")
    restate(lake, trades(DAY2, lots=13))
    last = publish_at(lake, 1)
    assert ask(lake, "SELECT publication_id FROM _meta.publication") == ((last,),)
    assert edition_path(lake.settings, "analyst", last).exists()


def test_no_match_is_said() -> None:
    """Fingerprints that do not occur in this order name no record."""
    assert turned(["a"], ["a", ""], before="x", after="a") is None
