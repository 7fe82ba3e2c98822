"""The truth file: what was really done, read by benchmarks and tests only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.simulation.groups import ControlGroup
from pipelines.simulation.people import People


def write_truth(folder: Path, day: date, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write one JSON line per record as ``truth-<date>.jsonl``, keys sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"truth-{day.isoformat()}.jsonl"
    lines = [json.dumps(r, ensure_ascii=False, sort_keys=True) for r in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def group_records(people: People) -> list[dict[str, Any]]:
    """Return every control group and look-alike with its clients, ties and strength."""
    return [_group(people, g, "control_group") for g in people.groups] + [
        _group(people, g, "lookalike") for g in people.lookalikes
    ]


def _group(people: People, group: ControlGroup, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "group_id": group.group_id,
        "class": group.kind,
        "clients": [str(people.client_id[c]) for c in group.clients],
        "ties": list(group.ties),
        "reported": group.reported,
        "strength": group.strength,
        "lag_microseconds": group.lag,
    }
