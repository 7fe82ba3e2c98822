"""How published totals tie to what is in silver: every figure, from the tables, without Spark.

``python -m pipelines.external.ties --home lake-real`` prints the tables of docs/real-data.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.catalogue import load_catalogue
from pipelines.engine.delivery import effective
from pipelines.engine.ledgers import DELIVERY, RESULT, Ledgers
from pipelines.engine.settings import Settings, load_settings
from pipelines.engine.tables import exists

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipelines.engine.delivery import Delivery, Effective
    from pipelines.engine.rows import ResultRow

JUDGED = ("failed", "not_evaluated")


@dataclass(frozen=True)
class Tie:
    """One published figure beside what was counted in the lake, both as published.

    ``lists``: how many single figures it stands for; ``ties``: how many of them are equal.
    """

    product: str
    interval: str
    what: str
    published: Decimal
    counted: Decimal
    lists: int
    ties: int

    @property
    def holds(self) -> bool:
        """True when every figure is equal."""
        return self.lists == self.ties and self.published == self.counted


def ties(settings: Settings) -> tuple[Tie, ...]:
    """Every total that complete intervals publish: quotes, rankings, stocks, second recorder.

    Intervals declared partial (excerpts) have no totals to tie and are left out.
    """
    found: list[Tie] = []
    with lake_views(settings) as lake:
        complete = _complete(settings)
        there = {row[0] for row in lake.execute("SELECT view_name FROM duckdb_views()").fetchall()}
        for product, needed, query in _QUERIES:
            if not there.issuperset(needed):
                continue
            for row in lake.execute(query).fetchall():
                interval, what, published, counted, lists, equal = row
                if (product, str(interval)) in complete:
                    figures = (Decimal(published), Decimal(counted), int(lists), int(equal))
                    found.append(Tie(f"silver.{product}", str(interval), what, *figures))
    return tuple(found)


def findings(settings: Settings) -> tuple[ResultRow, ...]:
    """What the gate found in the newest judgement of each interval: rules that did not pass."""
    ledgers = Ledgers(settings.ops, settings.locks)
    newest = {(r.product, r.interval, r.rule_id): r for r in ledgers.read(RESULT)}
    return tuple(r for _, r in sorted(newest.items()) if r.outcome in JUDGED)


def deliveries(settings: Settings) -> tuple[Delivery, ...]:
    """Every delivery recorded, by dataset, interval and sequence."""
    rows = Ledgers(settings.ops, settings.locks).read(DELIVERY)
    return tuple(sorted(rows, key=lambda d: (d.dataset, d.interval, d.sequence, d.file)))


def tables(settings: Settings) -> Iterator[str]:
    """Deliveries, ties and findings as Markdown."""
    yield "| dataset | interval | file | format | mode | rows | outcome |"
    yield "|---|---|---|---|---|---:|---|"
    for d in deliveries(settings):
        outcome = d.status if d.status == "landed" else f"refused: {d.error_code}"
        if d.status == "landed" and not d.rows:
            outcome = "landed, no data"
        rows = "" if d.rows is None else f"{d.rows:,}"
        cells = (d.dataset, d.interval, d.file, d.format or "", d.mode, rows, outcome)
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield "| product | interval | total | figures | equal | published | counted |"
    yield "|---|---|---|---:|---:|---:|---:|"
    for t in ties(settings):
        told = (t.product, t.interval, t.what, f"{t.lists:,}", f"{t.ties:,}")
        yield "| " + " | ".join((*told, _number(t.published), _number(t.counted))) + " |"
    yield ""
    yield "| product | interval | rule | severity | rows |"
    yield "|---|---|---|---|---:|"
    for r in findings(settings):
        failing = "" if r.failing is None else f"{r.failing:,}"
        yield f"| {r.product} | {r.interval} | `{r.rule_id}` | {r.severity} | {failing} |"


_FIELD = "nullif(trim(json_extract_string(record, '$.{0}')), '')::DECIMAL(24,4)"
_SIDES = "CASE WHEN _interval < DATE '2020-01-01' THEN 2 ELSE 1 END"
_COMMODITY = "lower(regexp_replace(trim(json_extract_string(record, '$.PRODUCTID')), '_f$', ''))"
_FIGURES = (
    ("volume", "VOLUME", "volume_lots"),
    ("open interest", "OPENINTEREST", "open_interest_lots"),
    ("change of open interest", "OPENINTERESTCHG", "open_interest_change_lots"),
)


def _compared(pairs: str) -> str:
    """One row per interval and kind of total out of (trade_date, what, published, counted)."""
    return f"""
        SELECT trade_date, what, sum(published), sum(counted), count(*),
               count(*) FILTER (published = counted)
        FROM ({pairs}) GROUP BY trade_date, what ORDER BY trade_date, what"""


def _quote_pairs() -> str:
    parts = []
    for name, field, column in _FIGURES:
        value = f"coalesce({_FIELD.format(field)}, 0)"
        parts.append(f"""
            SELECT _interval AS trade_date, '总计 grand total: {name}' AS what,
                   {value} AS published,
                   (SELECT coalesce(sum({column}), 0) FROM silver_quote_daily s
                    WHERE s.trade_date = _interval) * {_SIDES} AS counted
            FROM bronze_quote_daily
            WHERE section = 'o_curinstrument'
              AND trim(json_extract_string(record, '$.PRODUCTID')) = '总计'
            UNION ALL
            SELECT _interval, '小计 subtotals: {name}', {value},
                   (SELECT coalesce(sum({column}), 0) FROM silver_quote_daily s
                    WHERE s.trade_date = _interval AND s.commodity_id = {_COMMODITY}) * {_SIDES}
            FROM bronze_quote_daily
            WHERE section = 'o_curinstrument'
              AND trim(json_extract_string(record, '$.DELIVERYMONTH')) = '小计'""")
    return " UNION ALL ".join(parts)


def _rank_pairs() -> str:
    contract = "lower(trim(json_extract_string(record, '$.INSTRUMENTID')))"
    rank = "trim(json_extract_string(record, '$.RANK'))"
    lists = (("VOLUME", "CJ1"), ("LONG", "CJ2"), ("SHORT", "CJ3"))
    totals = " UNION ALL ".join(
        f"""SELECT _interval AS trade_date, 'RANK 999: {figure}' AS what,
                   coalesce({_FIELD.format(key + tail)}, 0) AS published,
                   (SELECT coalesce(sum({column}), 0) FROM silver_member_rank_daily s
                    WHERE s.trade_date = _interval AND s.contract_id = {contract}
                      AND s.rank_kind = '{kind}') AS counted
            FROM bronze_member_rank_daily
            WHERE {rank} = '999' AND regexp_matches({contract}, '^[a-z]+[0-9]+$')"""
        for kind, key in lists
        for figure, tail, column in (("lots", "", "lots"), ("change", "_CHG", "change_lots"))
    )
    markets = " UNION ALL ".join(
        f"""SELECT g.trade_date, 'RANK -1 and 0 against quotes: {name}' AS what,
                   g.{key} AS published, {counted} AS counted
            FROM groups g JOIN silver_quote_daily q USING (trade_date, contract_id)"""
        for name, key, counted in (
            ("volume (both sides)", "volume", "q.volume_lots * 2"),
            ("long", "longs", "q.open_interest_lots"),
            ("short", "shorts", "q.open_interest_lots"),
        )
    )
    return f"""
        WITH groups AS (
          SELECT _interval AS trade_date, {contract} AS contract_id,
                 sum({_FIELD.format("CJ1")}) AS volume, sum({_FIELD.format("CJ2")}) AS longs,
                 sum({_FIELD.format("CJ3")}) AS shorts
          FROM bronze_member_rank_daily WHERE {rank} IN ('-1', '0') GROUP BY ALL)
        SELECT * FROM ({totals}) UNION ALL SELECT * FROM ({markets})"""


_TICKS = """
    WITH other AS (
      SELECT _interval AS trade_date, code AS contract_id, count(*) AS snapshots,
             sum(volume::DECIMAL(24,4)) AS lots, sum(turnover::DECIMAL(24,4)) AS turnover
      FROM bronze_market_tick_raw GROUP BY ALL
    ), ours AS (
      SELECT _interval AS trade_date, instrument AS contract_id, count(*) AS snapshots,
             sum(volume::DECIMAL(24,4)) AS lots, sum(turnover::DECIMAL(24,4)) AS turnover
      FROM bronze_market_tick GROUP BY ALL
    )
    SELECT trade_date, 'second recorder: ' || f.what AS what,
           CASE f.what WHEN 'snapshots' THEN r.snapshots WHEN 'lots' THEN r.lots
             ELSE r.turnover END AS published,
           CASE f.what WHEN 'snapshots' THEN o.snapshots WHEN 'lots' THEN o.lots
             ELSE o.turnover END AS counted
    FROM other r JOIN ours o USING (trade_date, contract_id),
         (VALUES ('snapshots'), ('lots'), ('turnover')) f(what)"""
_QUERIES = (
    (
        "quote_daily",
        ("bronze_quote_daily", "silver_quote_daily"),
        _compared(_quote_pairs()),
    ),
    (
        "member_rank_daily",
        ("bronze_member_rank_daily", "silver_member_rank_daily", "silver_quote_daily"),
        _compared(_rank_pairs()),
    ),
    ("market_tick", ("bronze_market_tick", "bronze_market_tick_raw"), _compared(_TICKS)),
)


def lake_views(settings: Settings) -> DuckDBPyConnection:
    """Silver and bronze as DuckDB views (``silver_quote_daily``), of bronze only what counts."""
    import duckdb

    lake = duckdb.connect()
    counting = {i for e in _effective(settings).values() for i in e.delivery_ids}
    ids = ", ".join(f"'{i}'" for i in sorted(counting)) or "''"
    settings.storage.open_to(lake)
    for product in sorted(load_catalogue(settings.contracts_dir).contracts):
        place = settings.table(product)
        if product.startswith("gold.") or not exists(place):
            continue
        files = place.delta().file_uris()
        if files:
            found: Any = lake.read_parquet(files, hive_partitioning=True)
            # Of bronze only what counts: replaced deliveries stay there as evidence.
            if product.startswith("bronze."):
                found = found.filter(f"_delivery_id IN ({ids})")
            found.create_view(product.replace(".", "_"))
    return lake


def _complete(settings: Settings) -> set[tuple[str, str]]:
    """(dataset, interval) whose deliveries are complete and hold rows."""
    return {
        key
        for key, e in _effective(settings).items()
        if e.completeness == "complete" and any(step.rows for step in e.steps)
    }


def _effective(settings: Settings) -> dict[tuple[str, str], Effective]:
    by_interval: dict[tuple[str, str], list[Delivery]] = {}
    for d in deliveries(settings):
        if d.status == "landed":
            by_interval.setdefault((d.dataset, d.interval), []).append(d)
    return {key: effective(found) for key, found in by_interval.items()}


def _number(value: Decimal) -> str:
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.4f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How totals tie to their sources.")
    parser.add_argument("--home", type=Path, required=True)
    for line in tables(load_settings(environ={}, home=parser.parse_args().home)):
        print(line)
