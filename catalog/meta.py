"""The ``_meta`` schema: what a published file says about itself.

Written anew with every publication; each table explains its columns in both languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.as_of import as_of_macros
from catalog.build import Content, total
from catalog.masking import MaskPlan
from catalog.snapshot import literal, quote
from catalog.states import IntervalState
from contracts.catalogue import Catalogue
from contracts.compile.duckdb import duckdb_type
from contracts.model import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


TIMESTAMP = duckdb_type("timestamp")
NOT_SAID = ("not delivered or not known", "未交付或未知")
"""What empty means where the standard (``contracts/standards/nulls.yaml``) says nothing."""


@dataclass(frozen=True)
class MetaColumn:
    """A column of a ``_meta`` table: name, DuckDB type, what it says."""

    name: str
    type: str
    title: str
    title_zh: str


@dataclass(frozen=True)
class MetaTable:
    """A ``_meta`` table with its rows, in the columns' order."""

    name: str
    title: str
    title_zh: str
    columns: tuple[MetaColumn, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Edition:
    """One publication: id, moment (UTC), the run that made it, digest of what it was made of."""

    publication_id: str
    published_at: datetime
    run_id: str | None
    digest: str


@dataclass(frozen=True)
class Published:
    """One product in the file: its mask plan, source version and contents by interval."""

    plan: MaskPlan
    version: int
    contents: Mapping[str, Content]


def meta_tables(
    edition: Edition,
    products: Sequence[Published],
    states: Iterable[IntervalState],
    catalogue: Catalogue,
) -> tuple[MetaTable, ...]:
    """Every ``_meta`` table of a publication."""
    return (
        _publication(edition, products),
        _products(products),
        _intervals(products, states),
        _columns(products),
        _codes(products, catalogue),
        _macros(products),
    )


def write_meta(connection: DuckDBPyConnection, tables: Sequence[MetaTable]) -> None:
    """Replace the whole ``_meta`` schema of the current database."""
    connection.execute("BEGIN")
    connection.execute("DROP SCHEMA IF EXISTS _meta CASCADE")
    connection.execute("CREATE SCHEMA _meta")
    for table in tables:
        name = f"_meta.{quote(table.name)}"
        columns = ", ".join(f"{quote(c.name)} {c.type}" for c in table.columns)
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.execute(f"COMMENT ON TABLE {name} IS {_comment(table.title_zh, table.title)}")
        for c in table.columns:
            connection.execute(
                f"COMMENT ON COLUMN {name}.{quote(c.name)} IS {_comment(c.title_zh, c.title)}"
            )
        _insert(connection, name, table)
    connection.execute("COMMIT")


def _insert(connection: DuckDBPyConnection, name: str, table: MetaTable) -> None:
    if not table.rows:
        return
    import pyarrow as pa

    # As text through Arrow: row-by-row inserts cost seconds on a year of intervals.
    names = [c.name for c in table.columns]
    columns = zip(*table.rows, strict=True)
    values = [[None if v is None else _text(v) for v in column] for column in columns]
    rows = pa.table(dict(zip(names, (pa.array(v, pa.string()) for v in values), strict=True)))
    connection.register("meta_rows", rows)
    casts = ", ".join(f"CAST({quote(c.name)} AS {c.type})" for c in table.columns)
    connection.execute(f"INSERT INTO {name} SELECT {casts} FROM meta_rows")
    connection.unregister("meta_rows")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return str(value)


def _comment(zh: str, en: str) -> str:
    return literal(f"{zh} | {en}")


def _publication(edition: Edition, products: Sequence[Published]) -> MetaTable:
    audience = products[0].plan.audience if products else None
    columns = (
        MetaColumn("publication_id", "VARCHAR", "publication id", "发布编号"),
        MetaColumn("audience", "VARCHAR", "audience", "受众"),
        MetaColumn("clearance", "INTEGER", "highest classification in clear, 1-4", "可见最高级别"),
        MetaColumn("published_at", TIMESTAMP, "published at, UTC", "发布时间（UTC）"),
        MetaColumn("run_id", "VARCHAR", "the run that published", "发布所属运行"),
        MetaColumn("source_digest", "VARCHAR", "digest of versions, contracts, masks", "来源摘要"),
    )
    row = (
        edition.publication_id,
        audience.name if audience else None,
        audience.clearance if audience else None,
        edition.published_at,
        edition.run_id,
        edition.digest,
    )
    return MetaTable("publication", "this publication, one row", "本次发布", columns, (row,))


def _products(products: Sequence[Published]) -> MetaTable:
    columns = (
        MetaColumn("product", "VARCHAR", "product", "数据产品"),
        MetaColumn("table_name", "VARCHAR", "table in this file", "本文件中的表"),
        MetaColumn("title_zh", "VARCHAR", "Chinese title", "中文名"),
        MetaColumn("title", "VARCHAR", "English title", "英文名"),
        MetaColumn("description", "VARCHAR", "what it is", "说明"),
        MetaColumn("contract_version", "VARCHAR", "contract version", "契约版本"),
        MetaColumn(
            "source_version",
            "BIGINT",
            "Delta version it was copied from; null: never built",
            "来源版本",
        ),
        MetaColumn("rows", "BIGINT", "rows in this file", "行数"),
        MetaColumn(
            "portable_hash",
            "VARCHAR",
            "hash of the rows in this file; equals `exlake hash` unless masked",
            "本文件中数据的散列值",
        ),
        MetaColumn("masked", "BOOLEAN", "columns are hashed or left out", "是否脱敏"),
        MetaColumn("key_columns", "VARCHAR", "key, comma-separated", "主键"),
        MetaColumn("interval_column", "VARCHAR", "column of the interval", "区间列"),
        MetaColumn("owner", "VARCHAR", "owner", "负责人"),
        MetaColumn("steward", "VARCHAR", "steward", "数据管家"),
        MetaColumn("due", "VARCHAR", "due, Beijing time (+ trade dates)", "应完成时间（北京时间）"),
    )
    rows = []
    for p in products:
        c, content = p.plan.contract, total(list(p.contents.values()))
        due = None
        if c.sla:
            due = c.sla.due + (f" +{c.sla.days_after}" if c.sla.days_after else "")
        rows.append(
            (
                c.product, c.product, c.title_zh, c.title, c.description, c.version,
                p.version if p.version >= 0 else None,
                content.rows, content.hash, p.plan.is_masked, ", ".join(c.key),
                c.interval_column, c.owner, c.steward, due,
            )
        )  # fmt: skip
    return MetaTable(
        "product", "the products in this file", "本文件的数据产品", columns, tuple(rows)
    )


def _intervals(products: Sequence[Published], states: Iterable[IntervalState]) -> MetaTable:
    columns = (
        MetaColumn("product", "VARCHAR", "product", "数据产品"),
        MetaColumn("interval", "VARCHAR", "ISO trade date, or all", "区间"),
        MetaColumn("trade_date", "DATE", "trade date, null for all", "交易日"),
        MetaColumn(
            "state",
            "VARCHAR",
            "published, with_quarantine, flagged, late, held, failed, blocked, no_trading_day; "
            "the worst of its own and its inputs'",
            "状态（取自身与上游中最差者）",
        ),
        MetaColumn("own_state", "VARCHAR", "state without its inputs'", "自身状态"),
        MetaColumn("inherited_from", "VARCHAR", "input with the worse state", "状态来源"),
        MetaColumn("partial", "BOOLEAN", "deliveries are incomplete", "数据不完整"),
        MetaColumn("rows", "BIGINT", "rows in this file", "本文件行数"),
        MetaColumn("built", "BIGINT", "rows of the last batch", "构建行数"),
        MetaColumn("accepted", "BIGINT", "rows accepted", "接受行数"),
        MetaColumn("quarantined", "BIGINT", "rows in quarantine", "隔离行数"),
        MetaColumn("waiting_on", "VARCHAR", "root cause of a held interval", "等待的原因"),
        MetaColumn("incomplete_because", "VARCHAR", "inputs that are incomplete", "不完整的原因"),
        MetaColumn("recorded_at", TIMESTAMP, "when this state was reached, UTC", "记录时间（UTC）"),
        MetaColumn("due_at", TIMESTAMP, "due, UTC", "应完成时间（UTC）"),
        MetaColumn("portable_hash", "VARCHAR", "hash of its rows here", "散列值"),
    )
    mine = {p.plan.contract.product: p for p in products}
    rows = []
    for s in states:
        if s.product not in mine:
            continue
        content = mine[s.product].contents.get(s.interval)
        rows.append(
            (
                s.product, s.interval, s.trade_date, s.state, s.own_state, s.inherited_from,
                s.partial, content.rows if content else 0, s.built, s.accepted, s.quarantined,
                s.waiting_on, "; ".join(s.incomplete_because) or None, s.recorded_at, s.due_at,
                content.hash if content else None,
            )
        )  # fmt: skip
    return MetaTable(
        "interval", "state of every interval of these products", "各区间状态", columns, tuple(rows)
    )


def _columns(products: Sequence[Published]) -> MetaTable:
    columns = (
        MetaColumn("product", "VARCHAR", "product", "数据产品"),
        MetaColumn("column_name", "VARCHAR", "column", "列名"),
        MetaColumn("position", "INTEGER", "position in the contract, from 1", "序号"),
        MetaColumn("type", "VARCHAR", "type here; null when left out", "类型"),
        MetaColumn("title_zh", "VARCHAR", "Chinese title", "中文名"),
        MetaColumn("title", "VARCHAR", "English title", "英文名"),
        MetaColumn("description", "VARCHAR", "meaning", "含义"),
        MetaColumn("description_zh", "VARCHAR", "meaning, Chinese", "中文含义"),
        MetaColumn("unit", "VARCHAR", "unit", "单位"),
        MetaColumn("nullable", "BOOLEAN", "may be empty", "可否为空"),
        MetaColumn("null_means", "VARCHAR", "what empty means", "空值含义（英文）"),
        MetaColumn("null_means_zh", "VARCHAR", "what empty means, Chinese", "空值含义"),
        MetaColumn("additive", "BOOLEAN", "may be summed over rows", "可否相加"),
        MetaColumn("code_list", "VARCHAR", "code list, see _meta.code", "代码表"),
        MetaColumn("classification", "INTEGER", "classification 1-4", "分级"),
        MetaColumn("shown", "VARCHAR", "clear, hash or drop (left out)", "脱敏方式"),
    )
    rows = []
    for p in products:
        types = {c.name: duckdb_type(c.type) for c in p.plan.published.columns}
        for position, (c, treatment) in enumerate(p.plan.treatments, 1):
            if c.technical:
                continue
            rows.append(
                (
                    p.plan.contract.product, c.name, position, types.get(c.name), c.title_zh,
                    c.title, c.description, c.description_zh or None, c.unit, not c.required,
                    *_null_meaning(c), c.values_from == "sum", c.code_list, c.classification,
                    treatment,
                )
            )  # fmt: skip
    return MetaTable("column", "the columns of these products", "字段说明", columns, tuple(rows))


def _null_meaning(column: Column) -> tuple[str | None, str | None]:
    """What empty means; nothing for a column that may not be empty."""
    if column.required:
        return None, None
    return column.null_means or NOT_SAID[0], column.null_means_zh or NOT_SAID[1]


def _macros(products: Sequence[Published]) -> MetaTable:
    columns = (
        MetaColumn("macro", "VARCHAR", "how to call it in FROM", "在 FROM 中的用法"),
        MetaColumn("product", "VARCHAR", "dimension", "维度"),
        MetaColumn("title_zh", "VARCHAR", "Chinese title", "中文名"),
        MetaColumn("title", "VARCHAR", "English title", "英文名"),
    )
    macros = (macro for p in products for macro in as_of_macros(p.plan))
    rows = tuple((m.call, m.product, m.title_zh, m.title) for m in macros)
    return MetaTable("macro", "table macros of this file", "本文件的表宏", columns, rows)


def _codes(products: Sequence[Published], catalogue: Catalogue) -> MetaTable:
    columns = (
        MetaColumn("code_list", "VARCHAR", "code list", "代码表"),
        MetaColumn("code", "VARCHAR", "code", "代码"),
        MetaColumn("title_zh", "VARCHAR", "Chinese meaning", "中文含义"),
        MetaColumn("title", "VARCHAR", "English meaning", "英文含义"),
    )
    used = {c.code_list for p in products for c in p.plan.contract.columns if c.code_list}
    rows = tuple(
        (name, value.code, value.title_zh, value.title)
        for name in sorted(used)
        for value in catalogue.code_lists[name].values
    )
    return MetaTable("code", "codes and what they mean", "代码含义", columns, rows)
