"""A reader that never stops looking: what Delta and DuckDB show, noted by content.

``python -m tests.pipelines.engine.watching CURRENT NOTES`` reads the lake that the file CURRENT
names, again and again, until the file is gone; then it writes what it saw as JSON to NOTES.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from pipelines.engine.place import LocalStorage
from pipelines.engine.tables import exists
from tests.pipelines.engine.killing import AUDIENCE, SERVED
from tests.pipelines.engine.small_lake import ALL

PAUSE_SECONDS = 0.05
Sight = tuple[str, str, str, str]
"""(delta or duckdb, product, interval, digest of its rows)."""


def seen(home: Path) -> Iterator[Sight]:
    """Every interval of silver and gold as the two readers show it at this moment."""
    for product in ALL:
        place = LocalStorage(home).table(product)
        if exists(place):
            yield from _by_interval("delta", product, place.rows([]))
    file = home / "publish" / f"{AUDIENCE}.duckdb"
    if file.exists():
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute("SET TimeZone='UTC'")
            for product in SERVED:
                rows = connection.execute(f"SELECT * FROM {product}").to_arrow_table()
                yield from _by_interval("duckdb", product, rows)


def _by_interval(source: str, product: str, table: Any) -> Iterator[Sight]:
    rows: dict[str, list[str]] = {}
    names = sorted(n for n in table.column_names if not n.startswith("_"))
    for row in table.select(names).to_pylist():
        rows.setdefault(str(row.get("trade_date", "all")), []).append(repr([*row.values()]))
    for interval, found in rows.items():
        text = "\n".join(sorted(found))
        yield source, product, interval, hashlib.sha256(text.encode()).hexdigest()[:16]


def main(current: str, notes: str) -> None:
    """Look until the file CURRENT is gone."""
    found: set[Sight] = set()
    errors: list[str] = []
    looks = 0
    while True:
        try:
            home = Path(current).read_text(encoding="utf-8")
        except FileNotFoundError:
            break
        if home and Path(home).is_dir():
            try:
                found |= set(seen(Path(home)))
                looks += 1
                if looks == 1:
                    print("looking", flush=True)
            except Exception as error:
                errors.append(f"{home}: {type(error).__name__}: {error}")
        time.sleep(PAUSE_SECONDS)
    body = {"looks": looks, "seen": sorted(found), "errors": errors}
    Path(notes).write_text(json.dumps(body), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
