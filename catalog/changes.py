"""Restatements: published intervals whose rows are others than in the publication before.

Found when a file is published, from the last file and the new one; kept in the file itself and
carried over into later ones. An interval that appears for the first time is no restatement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from catalog.causes import Cause, Causes
from catalog.compare import LAST, Difference, Total, comparable, difference
from catalog.masking import MaskPlan
from catalog.meta import TIMESTAMP, Edition, MetaColumn, MetaTable
from catalog.sidecar import Part, Sidecar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT_CHANGES = 5000
"""Changes carried over from earlier publications; those of the newest one are always all there."""
DECIMAL = "DECIMAL(38,6)"


@dataclass(frozen=True)
class Change:
    """One restated interval of one product in one publication (times UTC)."""

    change_id: str
    published_at: datetime
    publication_before: str
    publication_after: str
    product: str
    interval: str
    difference: Difference
    causes: tuple[Cause, ...]

    @property
    def trade_date(self) -> date | None:
        """The interval as a date; None for ``all``."""
        return date.fromisoformat(self.interval) if self.interval[:1].isdigit() else None


@dataclass(frozen=True)
class Seen:
    """What changes are looked for in: the last file's parts (None: not known) and the new ones."""

    last: Sidecar | None
    edition: Edition
    plans: Mapping[str, MaskPlan]
    parts: Mapping[str, Part]
    key_version: int

    @property
    def audience(self) -> str:
        """Whose file it is."""
        return next((p.audience.name for p in self.plans.values()), "")


def find_changes(
    connection: DuckDBPyConnection, seen: Seen, causes: Causes, history: Sequence[Change] = ()
) -> tuple[Change, ...]:
    """Every interval that was published before and holds other rows now.

    Looks only at intervals whose files differ from those copied last time, so an ordinary day
    costs nothing here.
    """
    if seen.last is None:
        return ()
    found: list[Change] = []
    same_key = seen.last.key_version == seen.key_version
    newest = {(c.product, c.interval): c for c in history}
    # Rows that were all taken back before: should they return, that is a change.
    gone = {k for k, c in newest.items() if c.difference.rows_after == 0}
    for product, part in seen.parts.items():
        old = seen.last.parts.get(product)
        if old is None or old is part:
            continue
        wanted = [
            i
            for i in sorted(old.sources.keys() | part.sources.keys())
            if old.sources.get(i) != part.sources.get(i)
            and (i in old.sources or (product, i) in gone)
            and (old.mask != part.mask or old.hashes.get(i) != part.hashes.get(i))
        ]
        if not wanted:
            continue
        plan = seen.plans[product]
        columns, clear = comparable(connection, plan, same_key)
        for interval in wanted:
            what = difference(connection, plan, interval, columns, clear)
            if what.found:
                why = causes.of(product, interval, old.version, part.version)
                found.append(
                    Change(
                        change_id=f"{seen.edition.publication_id}#{len(found) + 1:04d}",
                        published_at=seen.edition.published_at,
                        publication_before=seen.last.publication_id,
                        publication_after=seen.edition.publication_id,
                        product=product,
                        interval=interval,
                        difference=what,
                        causes=why,
                    )
                )
    return tuple(found)


def carried(
    connection: DuckDBPyConnection, plans: Mapping[str, MaskPlan], file: str = LAST
) -> tuple[Change, ...]:
    """The changes an attached file knows of, oldest first, as this audience may see them today.

    Products it no longer gets are left out, and so are totals of columns that are no longer in
    clear. A file without changes, or of an older format, has none.
    """
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = '_meta'",
        [file.strip('"')],
    ).fetchall()
    if ("change",) not in tables:
        return ()
    clear = {
        (product, c.name) for product, p in plans.items() for c, t in p.treatments if t == "clear"
    }
    totals: dict[str, list[Total]] = {}
    products: dict[str, str] = {}
    rows = connection.execute(f"SELECT * FROM {file}._meta.change ORDER BY change_id").fetchall()
    for row in rows:
        products[row[0]] = row[4]
    for key, column, before, after in connection.execute(
        f"SELECT change_id, column_name, before, after FROM {file}._meta.change_total"
        " ORDER BY change_id, position"
    ).fetchall():
        if (products.get(key), column) in clear:
            totals.setdefault(key, []).append(Total(column, before, after))
    causes: dict[str, list[Cause]] = {}
    for key, *cause in connection.execute(
        f"SELECT change_id, kind, product, interval, what FROM {file}._meta.change_cause"
        " ORDER BY change_id, position"
    ).fetchall():
        causes.setdefault(key, []).append(Cause(*cause))
    found = [
        Change(
            change_id=row[0],
            published_at=row[1].replace(tzinfo=UTC),
            publication_before=row[2],
            publication_after=row[3],
            product=row[4],
            interval=row[5],
            difference=Difference(
                rows_before=row[7],
                rows_after=row[8],
                added=row[9],
                removed=row[10],
                changed=row[11],
                totals=tuple(totals.get(row[0], ())),
            ),
            causes=tuple(causes.get(row[0], ())),
        )
        for row in rows
        if row[4] in plans
    ]
    return tuple(sorted(found, key=lambda c: (c.published_at, c.change_id)))


def kept_changes(history: Sequence[Change], new: Sequence[Change]) -> tuple[Change, ...]:
    """The changes a file carries: all new ones, and as many older ones as fit."""
    room = max(KEPT_CHANGES - len(new), 0)
    return (*history[len(history) - min(room, len(history)) :], *new)


def change_tables(changes: Sequence[Change]) -> tuple[MetaTable, ...]:
    """``_meta.change`` and, beside it, every cause and every total of each change."""
    return (_changes(changes), _causes(changes), _totals(changes))


def _changes(changes: Sequence[Change]) -> MetaTable:
    columns = (
        MetaColumn("change_id", "VARCHAR", "change id", "变更编号"),
        MetaColumn("published_at", TIMESTAMP, "published at, UTC", "发布时间（UTC）"),
        MetaColumn("publication_before", "VARCHAR", "publication before", "变更前的发布"),
        MetaColumn("publication_after", "VARCHAR", "publication that changed it", "变更后的发布"),
        MetaColumn("product", "VARCHAR", "product", "数据产品"),
        MetaColumn("interval", "VARCHAR", "ISO trade date, or all", "区间"),
        MetaColumn("trade_date", "DATE", "trade date, null for all", "交易日"),
        MetaColumn("rows_before", "BIGINT", "rows before", "变更前行数"),
        MetaColumn("rows_after", "BIGINT", "rows after", "变更后行数"),
        MetaColumn("added", "BIGINT", "rows with a new key", "新增行数"),
        MetaColumn("removed", "BIGINT", "rows whose key is gone", "删除行数"),
        MetaColumn(
            "changed", "BIGINT", "rows whose key stayed; null: no key to match by", "修改行数"
        ),
        MetaColumn(
            "cause",
            "VARCHAR",
            "deliveries, decisions, job and contract versions that differ, as recorded",
            "原因（按账本记录）",
        ),
    )
    rows = tuple(
        (
            c.change_id, c.published_at, c.publication_before, c.publication_after, c.product,
            c.interval, c.trade_date, c.difference.rows_before, c.difference.rows_after,
            c.difference.added, c.difference.removed, c.difference.changed,
            "; ".join(str(cause) for cause in c.causes),
        )
        for c in changes
    )  # fmt: skip
    return MetaTable(
        "change", "restated intervals of these products", "已发布数据的变更", columns, rows
    )


def _causes(changes: Iterable[Change]) -> MetaTable:
    columns = (
        MetaColumn("change_id", "VARCHAR", "change id", "变更编号"),
        MetaColumn("position", "INTEGER", "position, from 1", "序号"),
        MetaColumn(
            "kind",
            "VARCHAR",
            "delivery, decision, job, contract, retention or unrecorded",
            "原因类别",
        ),
        MetaColumn("product", "VARCHAR", "product it happened to", "发生于哪个数据产品"),
        MetaColumn("interval", "VARCHAR", "interval it happened to", "发生于哪个区间"),
        MetaColumn("what", "VARCHAR", "id of delivery or decision, or versions", "编号或版本"),
    )
    rows = tuple(
        (c.change_id, n, cause.kind, cause.product, cause.interval, cause.what)
        for c in changes
        for n, cause in enumerate(c.causes, 1)
    )
    return MetaTable("change_cause", "why intervals changed", "变更的原因", columns, rows)


def _totals(changes: Iterable[Change]) -> MetaTable:
    columns = (
        MetaColumn("change_id", "VARCHAR", "change id", "变更编号"),
        MetaColumn("position", "INTEGER", "position, from 1", "序号"),
        MetaColumn("column_name", "VARCHAR", "additive column", "可加列"),
        MetaColumn("before", DECIMAL, "sum over the interval before", "变更前合计"),
        MetaColumn("after", DECIMAL, "sum over the interval after", "变更后合计"),
    )
    rows = tuple(
        (c.change_id, n, total.column, _plain(total.before), _plain(total.after))
        for c in changes
        for n, total in enumerate(c.difference.totals, 1)
    )
    return MetaTable("change_total", "totals before and after", "变更前后合计", columns, rows)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
