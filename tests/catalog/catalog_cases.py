"""A tiny lake written by delta-rs: three products, two trade dates, no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from contracts.catalogue import Catalogue
from contracts.model import Column, Contract, Reference, Sla
from contracts.standards import Audience, CodeList, CodeValue, Standards
from pipelines.engine.ledgers import INTERVAL, Ledgers
from pipelines.engine.rows import IntervalRow, Pin
from pipelines.engine.settings import Settings

DAY1, DAY2 = "2026-01-05", "2026-01-06"
CLIENTS = ("00010001", "00010002", "00020001")
NOW = datetime(2026, 1, 6, 10, 0, tzinfo=UTC)

ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "decimal(18,4)": pa.decimal128(18, 4),
    "decimal(24,4)": pa.decimal128(24, 4),
}


def column(name: str, kind: str, zh: str, level: int = 1, **more: Any) -> Column:
    """A column whose texts come from its name."""
    return Column(
        name=name,
        type=kind,
        title=name.replace("_", " "),
        title_zh=zh,
        description=f"The {name}.",
        classification=level,
        **more,
    )


def contract(
    product: str, columns: Sequence[Column], key: tuple[str, ...], **more: Any
) -> Contract:
    """A contract by trade date for both audiences, unless told otherwise."""
    return Contract(
        product=product,
        version=more.pop("version", "1.0.0"),
        status="active",
        title=product,
        title_zh="表",
        description=f"About {product}.",
        domain="trading",
        owner="trading-data",
        steward="trading-steward",
        columns=tuple(columns),
        key=key,
        retention_days=7300,
        flow="trading_day",
        audiences=more.pop("audiences", ("analyst", "surveillance")),
        interval_column=more.pop("interval_column", "trade_date"),
        **more,
    )


TRADE = contract(
    "silver.trade",
    [
        column("trade_date", "date", "交易日"),
        column("trade_id", "string", "成交号", 2),
        column("side", "string", "买卖方向", code_list="side"),
        column("trade_time", "timestamp", "成交时间"),
        column("client_id", "string", "客户号", 3, mask="hash"),
        column("price", "decimal(18,4)", "价格", unit="yuan"),
        column("lots", "bigint", "手数", values_from="sum"),
        column("note", "string", "备注", 4),
        column("_delivery_id", "string", "批次", technical=True),
        column("_row_number", "bigint", "行号", technical=True),
    ],
    ("trade_date", "trade_id", "side"),
    sort_key=("client_id", "trade_time"),
    references=(
        Reference(columns=("client_id",), to_product="silver.client", to_columns=("client_id",)),
    ),
    sla=Sla(due="17:00"),
)
CLIENT = contract(
    "silver.client",
    [
        column("client_id", "string", "客户号", 3, mask="hash"),
        column("valid_from", "date", "生效日"),
        column("name", "string", "客户名称", 4, mask="drop"),
        column("client_type", "string", "客户类型", 2),
    ],
    ("client_id", "valid_from"),
    interval_column=None,
)
CLIENT_DAY = contract(
    "gold.client_day",
    [
        column("trade_date", "date", "交易日"),
        column("client_id", "string", "客户号", 3, mask="hash"),
        column("traded_lots", "bigint", "成交手数", values_from="sum"),
        column("turnover", "decimal(24,4)", "成交额", unit="yuan", values_from="sum"),
    ],
    ("trade_date", "client_id"),
    sort_key=("client_id", "trade_date"),
    sla=Sla(due="18:00"),
)
STANDARDS = Standards(
    code_lists={
        "side": CodeList(
            "side", "Side", "买卖", (CodeValue("B", "Buy", "买"), CodeValue("S", "Sell", "卖"))
        )
    },
    audiences={
        "analyst": Audience("analyst", 2, "Analysts", "分析人员", ""),
        "surveillance": Audience("surveillance", 4, "Surveillance", "监察人员", ""),
    },
)


@dataclass(frozen=True)
class TinyLake:
    """Settings, catalogue and ledgers of the lake, and ways to change it."""

    settings: Settings
    catalogue: Catalogue

    @property
    def ledgers(self) -> Ledgers:
        """The lake's ledgers."""
        return Ledgers(self.settings.ops, self.settings.locks)

    def write(self, product: str, rows: list[dict[str, Any]], day: str | None = None) -> int:
        """Replace one interval (or the whole table), as a published run would leave it."""
        c = self.catalogue[product]
        schema = pa.schema([(k.name, ARROW[k.type]) for k in c.columns])
        path = Path(self.settings.table(product).uri)
        column_name = c.interval_column
        write_deltalake(
            str(path),
            pa.Table.from_pylist(rows, schema=schema),
            mode="overwrite",
            predicate=f"{column_name} = '{day}'" if path.exists() and column_name and day else None,
            partition_by=[column_name] if column_name and not path.exists() else None,
        )
        from deltalake import DeltaTable

        return int(DeltaTable(str(path)).version())

    def record(self, product: str, interval: str, state: Any = "published", **more: Any) -> None:
        """Append what a run would say of an interval."""
        row = IntervalRow(
            product=product,
            interval=interval,
            state=state,
            run_id="run-1",
            batch_id="batch-1",
            job_version=1,
            schema_fingerprint="s",
            contract_version="1.0.0",
            rules_fingerprint="r",
            decisions_fingerprint="d",
            committed_at=more.pop("committed_at", datetime(2026, 1, 5, 8, 30, tzinfo=UTC)),
            fingerprint="f",
        )
        self.ledgers.append((INTERVAL, [replace(row, **more)]))

    def with_contracts(self, **changed: Contract) -> TinyLake:
        """The same lake under other contracts."""
        contracts = dict(self.catalogue.contracts)
        contracts.update({c.product: c for c in changed.values()})
        return replace(self, catalogue=Catalogue(contracts, self.catalogue.standards))


def trades(day: str, lots: int = 10) -> list[dict[str, Any]]:
    """Two legs of one trade per client; client ids are what masks must hide."""
    rows = []
    for n, client in enumerate(CLIENTS):
        for side in "BS":
            rows.append(
                {
                    "trade_date": date.fromisoformat(day),
                    "trade_id": f"T{n}",
                    "side": side,
                    "trade_time": datetime.fromisoformat(f"{day}T01:00:00.{n:06d}+00:00"),
                    "client_id": client,
                    "price": Decimal("68010.5000"),
                    "lots": lots + n,
                    "note": f"秘密-secret-note-{n} 'quoted' \"x\"; --",
                    "_delivery_id": "trade-20260105-001-abcdef",
                    "_row_number": 2 * n,
                }
            )
    return rows


def client_days(day: str, factor: int = 1) -> list[dict[str, Any]]:
    """One row per client."""
    return [
        {
            "trade_date": date.fromisoformat(day),
            "client_id": client,
            "traded_lots": 20 * factor,
            "turnover": Decimal("1360210.0000"),
        }
        for client in CLIENTS
    ]


def build_lake(home: Path) -> TinyLake:
    """The lake, its ledger, and gold built from silver."""
    catalogue = Catalogue({c.product: c for c in (TRADE, CLIENT, CLIENT_DAY)}, STANDARDS)
    tiny = TinyLake(Settings(home=home), catalogue)
    for day in (DAY1, DAY2):
        tiny.write("silver.trade", trades(day), day)
        tiny.record("silver.trade", day, built=6, accepted=6)
        tiny.write("gold.client_day", client_days(day), day)
        tiny.record(
            "gold.client_day",
            day,
            built=3,
            accepted=3,
            inputs=(Pin("silver.trade", day, "f"), Pin("silver.client", "as_of", "f")),
        )
    tiny.write(
        "silver.client",
        [
            {
                "client_id": c,
                "valid_from": date(2026, 1, 1),
                "name": f"张三公司-{c}",
                "client_type": "RETAIL",
            }
            for c in CLIENTS
        ],
    )
    tiny.record("silver.client", "all", built=3, accepted=3)
    return tiny
