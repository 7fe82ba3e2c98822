"""Publishing: what is in an audience's file, and how it comes to be there."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from catalog_cases import CLIENTS, DAY1, DAY2, NOW, TRADE, TinyLake, trades

from catalog.errors import NotPublishableError, UnknownAudienceError
from catalog.keys import load_or_create_key, rotate_key
from catalog.masking import mask
from catalog.publish import publish, published_path
from catalog.sidecar import Stamp
from contracts.model import Sla
from pipelines.engine.ledgers import DECISION, RESULT, Ledgers
from pipelines.engine.rows import DecisionRow, ResultRow
from quality.hashing import portable_hash_sql

AUDIENCES = ("analyst", "surveillance")


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Query in a process of its own: DuckDB keeps one database per path within a process."""
    script = (
        "import duckdb, sys; "
        "print(repr(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchall()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), sql], capture_output=True, text=True, check=True
    )
    return eval(done.stdout, {"datetime": __import__("datetime"), "Decimal": Decimal})  # type: ignore[no-any-return]


def test_data_above_clearance_is_not_in_the_file_at_all(lake: TinyLake) -> None:
    """Invariant 9: neither ids, names nor free text above clearance are among the file's bytes."""
    publish(lake.settings, lake.catalogue, now=NOW)
    analyst = published_path(lake.settings, "analyst").read_bytes()
    for secret in (*CLIENTS, "张三公司", "secret-note", "秘密"):
        assert secret.encode() not in analyst
    # ... while the same search finds them where they may be: the search itself works.
    surveillance = published_path(lake.settings, "surveillance").read_bytes()
    for shown in (CLIENTS[0], "张三公司", "secret-note"):
        assert shown.encode() in surveillance


def test_masked_ids_join_and_stay_the_same(lake: TinyLake) -> None:
    """A client has one masked id in all tables and publications, and only the key gives it."""
    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "analyst")
    sql = (
        "SELECT c.client_id, count(*), sum(t.lots) FROM silver.client c JOIN silver.trade t USING "
        "(client_id) JOIN gold.client_day d USING (client_id, trade_date) GROUP BY 1"
    )
    before = sorted(rows(path, sql))
    assert [n for _, n, _ in before] == [4, 4, 4]
    key = load_or_create_key(lake.settings.secrets, "analyst")
    assert {m for m, _, _ in before} == {mask(key, c) for c in CLIENTS}
    publish(lake.settings, lake.catalogue, force=True, now=NOW + timedelta(1))
    assert sorted(rows(path, sql)) == before
    rotate_key(lake.settings.secrets, "analyst")
    publish(lake.settings, lake.catalogue, now=NOW)
    assert {m for m, *_ in rows(path, sql)}.isdisjoint({m for m, *_ in before})


def test_rows_are_not_ordered_by_a_hidden_id(lake: TinyLake) -> None:
    """The file's order is that of the masked ids: a clear order under a mask would tell ranks."""
    publish(lake.settings, lake.catalogue, now=NOW)
    sql = "SELECT client_id FROM silver.trade"
    stored = [r[0] for r in rows(published_path(lake.settings, "analyst"), sql)]
    assert stored == sorted(stored)
    key = load_or_create_key(lake.settings.secrets, "analyst")
    assert sorted(CLIENTS, key=lambda c: mask(key, c)) == list(
        dict.fromkeys({mask(key, c): c for c in CLIENTS}[m] for m in stored)
    )


def test_nothing_new_writes_nothing(lake: TinyLake) -> None:
    """Invariant 3: a second publish leaves the very same file."""
    first = publish(lake.settings, lake.catalogue, now=NOW)
    before = [Stamp.of(published_path(lake.settings, a)) for a in AUDIENCES]
    second = publish(lake.settings, lake.catalogue, now=NOW + timedelta(minutes=5))
    assert [p.outcome for p in second] == ["unchanged", "unchanged"]
    assert [p.publication_id for p in second] == [p.publication_id for p in first]
    assert before == [Stamp.of(published_path(lake.settings, a)) for a in AUDIENCES]


def test_a_reader_keeps_the_old_file_while_a_new_one_is_swapped_in(lake: TinyLake) -> None:
    """Readers that hold the file see it unchanged; those that come later see the new one."""
    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "surveillance")
    reader = duckdb.connect(str(path), read_only=True)
    try:
        lake.write("silver.trade", trades(DAY2, lots=100), DAY2)
        [done] = publish(lake.settings, lake.catalogue, "surveillance", now=NOW)
        assert done.outcome == "updated"
        sql = f"SELECT min(lots) FROM silver.trade WHERE trade_date = DATE '{DAY2}'"
        assert reader.execute(sql).fetchone() == (10,)
        assert rows(path, sql) == [(100,)]
    finally:
        reader.close()


def test_published_files_are_read_only_and_alone(lake: TinyLake) -> None:
    """Mode 0444, no write-ahead log, no draft, keys 0600 in a 0700 folder."""
    publish(lake.settings, lake.catalogue, now=NOW)
    names = sorted(p.name for p in lake.settings.publish.iterdir())
    files = ["analyst.duckdb", "analyst.json", "surveillance.duckdb", "surveillance.json"]
    assert names == sorted([*files, "earlier"])
    path = published_path(lake.settings, "analyst")
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stat.S_IMODE(lake.settings.secrets.stat().st_mode) == 0o700
    assert stat.S_IMODE((lake.settings.secrets / "analyst.key").stat().st_mode) == 0o600
    assert not (lake.settings.secrets / "surveillance.key").exists(), "no mask, no key"


def test_only_changed_intervals_are_copied(lake: TinyLake) -> None:
    """One changed day is applied to a copy of the last file; the result equals a full rebuild."""
    publish(lake.settings, lake.catalogue, now=NOW)
    lake.write("silver.trade", trades(DAY2, lots=7)[:4], DAY2)
    done = publish(lake.settings, lake.catalogue, "analyst", now=NOW)[0]
    assert [(p.product, p.replaced, p.rows) for p in done.products] == [("silver.trade", 1, 4)]
    path = published_path(lake.settings, "analyst")
    content = "SELECT * FROM silver.trade ORDER BY ALL"
    meta = "SELECT product, rows, portable_hash FROM _meta.product ORDER BY 1"
    updated = rows(path, content), rows(path, meta)
    rebuilt = publish(lake.settings, lake.catalogue, "analyst", force=True, now=NOW)[0]
    assert rebuilt.outcome == "rebuilt"
    assert (rows(path, content), rows(path, meta)) == updated
    assert len(updated[0]) == 10


def test_a_table_built_anew_is_published_although_it_counts_alike(lake: TinyLake) -> None:
    """A product rebuilt from bronze starts at version 0 again: its rows, not its number, count."""
    shutil.rmtree(lake.settings.table("silver.trade"))
    lake.write("silver.trade", trades(DAY1), DAY1)
    publish(lake.settings, lake.catalogue, now=NOW)
    shutil.rmtree(lake.settings.table("silver.trade"))
    lake.write("silver.trade", trades(DAY1, lots=7)[:4], DAY1)
    publish(lake.settings, lake.catalogue, now=NOW)
    found = rows(published_path(lake.settings, "analyst"), "SELECT count(*) FROM silver.trade")
    assert found == [(4,)]


def test_only_committed_rows_are_published(lake: TinyLake) -> None:
    """Invariant 1: files that no commit names (a held or killed batch) are never read."""
    committed = next(Path(lake.settings.table("silver.trade").uri).glob("*/*.parquet"))
    (committed.parent / "part-held-uncommitted.parquet").write_bytes(committed.read_bytes())
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    assert rows(published_path(lake.settings, "analyst"), "SELECT count(*) FROM silver.trade") == [
        (12,)
    ]


def test_readers_agree_on_the_hash(lake: TinyLake) -> None:
    """Invariant 8: the file in clear and delta-rs' rows have one portable hash."""
    import deltalake

    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "surveillance")
    said = rows(path, "SELECT portable_hash FROM _meta.product WHERE product = 'silver.trade'")
    arrow = deltalake.DeltaTable(str(lake.settings.table("silver.trade"))).to_pyarrow_table()
    own = duckdb.connect()
    own.register("theirs", arrow)
    assert own.execute(portable_hash_sql(TRADE, "duckdb", "theirs")).fetchall() == said
    assert said[0][0].startswith("12:")  # type: ignore[attr-defined]


def test_types_and_comments_survive(lake: TinyLake) -> None:
    """Decimals keep their scale, times are UTC, names are there in Chinese and English."""
    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "surveillance")
    [(price, at, kind)] = rows(
        path,
        "SELECT price, trade_time::VARCHAR, typeof(trade_time) FROM silver.trade "
        f"WHERE trade_id = 'T2' AND side = 'B' AND trade_date = DATE '{DAY1}'",
    )
    assert price == Decimal("68010.5000")
    assert (at, kind) == ("2026-01-05 01:00:00.000002", "TIMESTAMP")
    sql = "SELECT comment FROM duckdb_columns() WHERE column_name = 'price'"
    [(comment,)] = rows(path, sql)
    assert "价格" in str(comment)
    assert "yuan" in str(comment)
    [(comment,)] = rows(path, "SELECT comment FROM duckdb_tables() WHERE table_name = 'interval'")
    assert "区间" in str(comment)


def test_gold_shows_the_worst_state_of_its_inputs(lake: TinyLake) -> None:
    """Invariant 13: a gold day over a silver day with quarantine says so beside the data."""
    publish(lake.settings, lake.catalogue, now=NOW)
    lake.record("silver.trade", DAY2, "quarantine", built=6, accepted=4, quarantined=2)
    done = publish(lake.settings, lake.catalogue, "analyst", now=NOW)[0]
    assert (done.outcome, done.products) == ("updated", ())
    sql = (
        "SELECT product, interval, state, own_state, inherited_from, quarantined "
        f"FROM _meta.interval WHERE interval = '{DAY2}' ORDER BY 1"
    )
    assert rows(published_path(lake.settings, "analyst"), sql) == [
        ("gold.client_day", DAY2, "with_quarantine", "published", "silver.trade", 0),
        ("silver.trade", DAY2, "with_quarantine", "with_quarantine", None, 2),
    ]


def test_hostile_names_change_nothing(tmp_path: Path, build: Callable[[Path], TinyLake]) -> None:
    """Quotes, spaces and Chinese in paths and texts are data, never SQL."""
    lake = build(tmp_path / "la'ke 湖; DROP TABLE x --")
    text = "it's; DROP SCHEMA gold CASCADE; -- \" 价'格"
    columns = tuple(
        c.model_copy(update={"title_zh": text, "description": text}) for c in TRADE.columns
    )
    lake = lake.with_contracts(trade=TRADE.model_copy(update={"columns": columns}))
    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "surveillance")
    assert rows(path, "SELECT count(*) FROM gold.client_day") == [(6,)]
    [(comment,)] = rows(path, "SELECT comment FROM duckdb_columns() WHERE column_name = 'price'")
    assert text in str(comment)


def test_a_failure_leaves_the_last_file(lake: TinyLake) -> None:
    """A table that breaks its contract stops publishing with a named error; readers keep theirs."""
    publish(lake.settings, lake.catalogue, now=NOW)
    path = published_path(lake.settings, "analyst")
    before = Stamp.of(path)
    columns = tuple(
        c.model_copy(update={"type": "decimal(18,4)"}) if c.name == "note" else c
        for c in TRADE.columns
    )
    broken = lake.with_contracts(trade=TRADE.model_copy(update={"columns": columns}))
    with pytest.raises(NotPublishableError, match=r"silver\.trade"):
        publish(broken.settings, broken.catalogue, "surveillance", now=NOW)
    assert Stamp.of(path) == before
    assert not list(lake.settings.publish.glob(".*draft*"))
    with pytest.raises(UnknownAudienceError, match="Did you mean analyst"):
        publish(lake.settings, lake.catalogue, "analist")


def test_a_late_day_is_published_as_late(lake: TinyLake) -> None:
    """A trade date past its due time without data is a row that says so, and only then."""
    assert TRADE.sla == Sla(due="17:00")
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    sql = "SELECT product, state FROM _meta.interval WHERE trade_date > DATE '2026-01-06'"
    path = published_path(lake.settings, "analyst")
    assert rows(path, sql) == []
    evening = NOW.replace(day=7, hour=9, minute=30)  # 17:30 in Beijing
    assert publish(lake.settings, lake.catalogue, "analyst", now=evening)[0].outcome == "updated"
    assert rows(path, sql) == [("silver.trade", "late")]
    later = evening + timedelta(minutes=10)
    assert publish(lake.settings, lake.catalogue, "analyst", now=later)[0].outcome == "unchanged"


def test_a_waived_failure_stays_a_failure_for_readers(lake: TinyLake) -> None:
    """`_meta.waived`: rule, count, who and until; the reason only where nothing is masked."""
    publish(lake.settings, lake.catalogue, now=NOW)
    decision = DecisionRow(
        "w1", "waiver", "silver.trade", "client 80012345 confirmed it", "ana", NOW,
        interval=DAY2, rule_id="trade.total", approved_by="bo", needs_approval=True,
        expires_on=NOW.date(),
    )  # fmt: skip
    failed = ResultRow(
        run_id="r9", batch_id="b9", product="silver.trade", interval=DAY2, rule_id="trade.total",
        rule_fingerprint="f", kind="reconcile", dimension="accuracy", severity="critical",
        scope="built", outcome="failed", contract_version="1.0.0", job_version=1, judged_at=NOW,
        failing=2, checked=600, decision_id="w1",
    )  # fmt: skip
    Ledgers(lake.settings.ops, lake.settings.locks).append(
        (DECISION, [decision]), (RESULT, [failed])
    )
    assert [p.outcome for p in publish(lake.settings, lake.catalogue, now=NOW)] == ["updated"] * 2
    sql = "SELECT rule_id, outcome, failing, waived_by, reason, until FROM _meta.waived"
    said = ("trade.total", "failed, waived", 2, "ana + bo")
    clear = rows(published_path(lake.settings, "surveillance"), sql)
    assert clear == [(*said, "client 80012345 confirmed it", NOW.date())]
    assert rows(published_path(lake.settings, "analyst"), sql) == [(*said, None, NOW.date())]
    assert {p.outcome for p in publish(lake.settings, lake.catalogue, now=NOW)} == {"unchanged"}


def test_meta_says_what_the_file_was_made_of(lake: TinyLake) -> None:
    """Source versions, contract versions, rows, masks, codes and the publication's id."""
    [done] = publish(lake.settings, lake.catalogue, "analyst", now=NOW, run_id="run-7")
    path = published_path(lake.settings, "analyst")
    sql = "SELECT publication_id, audience, clearance, run_id, published_at FROM _meta.publication"
    assert rows(path, sql) == [
        (done.publication_id, "analyst", 2, "run-7", NOW.replace(tzinfo=None))
    ]
    sql = "SELECT product, source_version, contract_version, rows, masked FROM _meta.product"
    assert sorted(rows(path, sql)) == [
        ("gold.client_day", 1, "1.0.0", 6, True),
        ("silver.client", 0, "1.0.0", 3, True),
        ("silver.trade", 1, "1.0.0", 12, True),
    ]
    sql = "SELECT column_name, shown FROM _meta.column WHERE product = 'silver.trade'"
    shown = dict(rows(path, sql))  # type: ignore[arg-type]
    assert (shown["client_id"], shown["note"], shown["price"]) == ("hash", "drop", "clear")
    assert rows(path, "SELECT code, title_zh FROM _meta.code ORDER BY 1") == [
        ("B", "买"),
        ("S", "卖"),
    ]


def test_a_publisher_killed_half_way_harms_nobody(lake: TinyLake) -> None:
    """Invariant 3: after SIGKILL in the middle readers keep the last file and the next run ends
    in the same content as if nothing had happened."""
    publish(lake.settings, lake.catalogue, "surveillance", now=NOW)
    path = published_path(lake.settings, "surveillance")
    before = Stamp.of(path)
    lake.write("silver.trade", trades(DAY2, lots=50), DAY2)
    script = (
        "import os, sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from catalog_cases import NOW, CLIENT, CLIENT_DAY, STANDARDS, TRADE\n"
        "from catalog.publish import publish\n"
        "from contracts.catalogue import Catalogue\n"
        "from pipelines.engine.settings import Settings\n"
        "found = Catalogue({c.product: c for c in (TRADE, CLIENT, CLIENT_DAY)}, STANDARDS)\n"
        "publish(Settings(home=Path(sys.argv[1])), found, 'surveillance', now=NOW,\n"
        "        on_progress=lambda _: os.kill(os.getpid(), 9))\n"
    )
    here = Path(__file__).resolve().parent
    killed = subprocess.run(
        [sys.executable, "-c", script, str(lake.settings.home), str(here), str(here.parents[1])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert Stamp.of(path) == before
    [done] = publish(lake.settings, lake.catalogue, "surveillance", now=NOW)
    assert done.outcome == "updated"
    sql = f"SELECT min(lots), count(*) FROM silver.trade WHERE trade_date = DATE '{DAY2}'"
    assert rows(path, sql) == [(50, 6)]
    assert not list(lake.settings.publish.glob(".*"))


def test_what_a_killed_publisher_left_is_swept(lake: TinyLake) -> None:
    """A half-written draft is never served and goes with the next publication."""
    publish(lake.settings, lake.catalogue, now=NOW)
    left = lake.settings.publish / ".analyst.99999.draft"
    left.write_bytes(b"half")
    (lake.settings.publish / ".analyst.99999.draft.spill").mkdir()
    (lake.settings.publish / "analyst.json").unlink()  # killed between file and sidecar
    [done] = publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    assert done.outcome == "rebuilt"
    assert not list(lake.settings.publish.glob(".*"))


def test_a_withdrawn_interval_leaves_the_file(lake: TinyLake) -> None:
    """An interval that was emptied in the lake is emptied in the file."""
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    lake.write("silver.trade", [], DAY2)
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    path = published_path(lake.settings, "analyst")
    assert rows(path, "SELECT DISTINCT trade_date FROM silver.trade") == [(date(2026, 1, 5),)]


def test_a_product_not_built_yet_is_an_empty_table_that_says_why(lake: TinyLake) -> None:
    """Invariant 13: nothing is missing without a word; when it comes, it is filled in."""
    new = TRADE.model_copy(update={"product": "silver.position"})
    more = lake.with_contracts(new=new)
    more.record(
        "silver.position", DAY1, "held", waiting_on=f"silver.trade {DAY1}", fingerprint=None
    )
    publish(more.settings, more.catalogue, "analyst", now=NOW)
    path = published_path(more.settings, "analyst")
    assert rows(path, "SELECT count(*) FROM silver.position") == [(0,)]
    sql = "SELECT state, waiting_on, rows FROM _meta.interval WHERE product = 'silver.position'"
    assert rows(path, f"{sql} AND interval = '{DAY1}'") == [("held", f"silver.trade {DAY1}", 0)]
    sql = "SELECT source_version FROM _meta.product WHERE product = 'silver.position'"
    assert rows(path, sql) == [(None,)]
    more.write("silver.position", trades(DAY1), DAY1)
    [done] = publish(more.settings, more.catalogue, "analyst", now=NOW)
    assert (done.outcome, [p.rows for p in done.products]) == ("updated", [6])


def test_contract_text_rebuilds_with_new_comments(lake: TinyLake) -> None:
    """A changed title reaches the file: it is part of what the file was made of."""
    publish(lake.settings, lake.catalogue, "analyst", now=NOW)
    changed = lake.with_contracts(trade=TRADE.model_copy(update={"title_zh": "新名"}))
    [done] = publish(changed.settings, changed.catalogue, "analyst", now=NOW)
    assert done.outcome == "rebuilt"
    sql = "SELECT title_zh FROM _meta.product WHERE product = 'silver.trade'"
    assert rows(published_path(lake.settings, "analyst"), sql) == [("新名",)]
