"""A small drop folder for tests: files with true or false manifests, and what landed of them."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from contracts.load import load_catalogue
from pipelines.engine.delivery import Delivery
from pipelines.engine.ledgers import DELIVERY, Ledgers
from pipelines.engine.settings import Settings, load_settings
from pipelines.sources.landing import land

LOGIN = (
    "login_id,client_id,member_id,login_time,logout_time,trade_date,public_ip,mac_hash,disk_hash,"
    "app_id,terminal_id,terminal_kind"
)
KX_REST = (
    '"PRESETTLEMENTPRICE":3,"OPENPRICE":3,"HIGHESTPRICE":3,"LOWESTPRICE":3,"CLOSEPRICE":3,'
    '"OPENINTERESTCHG":0'
)
"""What every published quote carries beside product, month, volume, interest and settlement."""
NOON = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


def logins(*ids: int, end: str = "\n") -> bytes:
    """A login file of these ids, with a header line."""
    rows = [
        f"L{i},0000000{i},0001,2026-01-05 09:00:00,2026-01-05 15:00:00,20260105,1.2.3.4,m{i},d{i},"
        f"a,T{i},HOME"
        for i in ids
    ]
    return (end.join([LOGIN, *rows]) + end).encode()


@dataclass(frozen=True)
class Drop:
    """A lake with its inbox."""

    settings: Settings

    @classmethod
    def at(cls, home: Path, **settings: Any) -> Drop:
        """A lake below ``home``."""
        return cls(load_settings(environ={}, home=home / "lake", **settings))

    def put(
        self,
        name: str,
        data: bytes,
        *,
        manifest: bool = False,
        system: str = "trading",
        **claims: Any,
    ) -> Path:
        """Leave a file in the inbox; with a manifest whose fields ``claims`` overrides."""
        path = self.settings.inbox / system / "20260105" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if manifest or claims:
            body = {
                "manifest_version": 1,
                "system": system,
                "dataset": name.split("_2026", 1)[0],
                "interval": "2026-01-05",
                "mode": "full",
                "part": None,
                "parts": None,
                "sequence": 1,
                "file": name,
                "rows": _rows(data),
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "encoding": "utf-8",
                "generated_at": "2026-01-05T16:10:00+08:00",
            }
            body.update(claims)
            path.with_name(name + ".manifest.json").write_text(json.dumps(body), encoding="utf-8")
        return path

    def land(self, **more: Any) -> list[Delivery]:
        """Land everything, at noon."""
        return land(self.settings, load_catalogue(), now=lambda: NOON, **more)

    def ledger(self) -> list[Delivery]:
        """Every record in the delivery ledger."""
        return Ledgers(self.settings.ops, self.settings.locks).read(DELIVERY)

    def bronze(self, dataset: str) -> list[dict[str, Any]]:
        """The rows of a bronze table, in order of delivery and ordinal; none without a table."""
        place = self.settings.table(f"bronze.{dataset}")
        if place.version() < 0:
            return []
        rows: list[dict[str, Any]] = place.rows([]).to_pylist()
        return sorted(rows, key=lambda r: (r["_delivery_id"], r["_row_number"]))

    def only(self, **more: Any) -> Delivery:
        """Land; exactly one delivery is recorded."""
        (delivery,) = self.land(**more)
        return delivery


def _rows(data: bytes) -> int:
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError):
        return 0
    return max(0, len(data.splitlines()) - 1)


INTERVAL = date(2026, 1, 5)
