"""Deliveries: what was landed, and which of it counts.

``effective`` folds the deliveries of one dataset and interval into the steps
that make up its rows. It looks at sequence numbers only, never at the order of
arrival or a clock, so every order of landing ends in the same rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

Mode = Literal["full", "part", "correction", "withdrawal"]
DeliveryStatus = Literal["landed", "refused"]
Action = Literal["rows", "overlay", "withdraw"]
Completeness = Literal["complete", "partial"]

Text = Annotated[str, Field(min_length=1, max_length=255)]


class Manifest(BaseModel):
    """The sidecar of one delivered file (``<file>.manifest.json``), strictly read.

    ``sha256`` and ``bytes`` are of the file as delivered; ``rows`` counts data rows;
    ``generated_at`` carries its own UTC offset; ``interval`` is an ISO date or ``all``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    manifest_version: Literal[1]
    system: Text
    dataset: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    interval: str
    mode: Mode
    part: Annotated[int, Field(ge=1)] | None = None
    parts: Annotated[int, Field(ge=1)] | None = None
    sequence: Annotated[int, Field(ge=1)]
    file: Text
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    encoding: str = "utf-8"
    generated_at: Annotated[AwareDatetime, Field(strict=False)]

    @field_validator("interval")
    @classmethod
    def _interval(cls, value: str) -> str:
        if value != "all" and date.fromisoformat(value).isoformat() != value:
            raise ValueError("must be YYYY-MM-DD or 'all'")
        return value

    @field_validator("file")
    @classmethod
    def _file(cls, value: str) -> str:
        if value in (".", "..") or any(c in value for c in "/\\\0"):
            raise ValueError("must be a plain file name, without a folder")
        return value

    @model_validator(mode="after")
    def _parts(self) -> Manifest:
        if self.mode != "part" and (self.part is not None or self.parts is not None):
            raise ValueError("part and parts belong to mode 'part' only")
        if self.parts is not None and (self.part is None or self.part > self.parts):
            raise ValueError("with parts given, part must be from 1 to parts")
        return self


@dataclass(frozen=True)
class Delivery:
    """One row of the delivery ledger: a landed or refused delivery.

    ``interval`` is an ISO date or ``all``; ``received_at`` and ``generated_at`` are UTC;
    ``path`` is the landed copy, relative to the lake's home; ``ledger_sequence`` is given
    by the ledger and only says in which order the records were written.
    """

    delivery_id: str
    system: str
    dataset: str
    interval: str
    mode: Mode
    part: int | None
    parts: int | None
    sequence: int
    file: str
    rows: int | None
    bytes: int
    sha256: str
    encoding: str | None
    format: str | None
    path: str | None
    status: DeliveryStatus
    has_manifest: bool
    generated_at: datetime | None
    received_at: datetime
    run_id: str | None = None
    error_code: str | None = None
    message: str | None = None
    ledger_sequence: int = 0

    @property
    def product(self) -> str:
        """The bronze product this delivery belongs to."""
        return f"bronze.{self.dataset}"


def delivery_id(dataset: str, interval: str, sequence: int, sha256: str) -> str:
    """``<dataset>-<YYYYMMDD>-<sequence>-<first 12 of sha256>``, the same for the same delivery."""
    return f"{dataset}-{interval.replace('-', '')}-{sequence:03d}-{sha256[:12]}"


@dataclass(frozen=True)
class Step:
    """What one delivery does to the rows of the steps before it.

    ``rows`` adds its rows; ``overlay`` replaces earlier rows with the same key and adds
    its own; ``withdraw`` removes earlier rows with the same key and adds none.
    """

    delivery_id: str
    action: Action
    sha256: str
    sequence: int
    rows: int | None = None
    part: int | None = None
    place: int | str | None = None
    """What a later part has to be called to take this one's place; None where none can."""


@dataclass(frozen=True)
class Effective:
    """The deliveries of one dataset and interval that count, in the order they apply.

    A row of step i stays unless an ``overlay`` or ``withdraw`` step j > i holds its key.
    ``reasons`` say why an interval is partial.
    """

    dataset: str
    interval: str
    steps: tuple[Step, ...]
    completeness: Completeness
    reasons: tuple[str, ...] = ()
    received_at: datetime | None = None
    """UTC; when the last delivery that counts arrived (information only)."""

    @property
    def delivery_ids(self) -> tuple[str, ...]:
        """Deliveries whose bronze rows have to be read."""
        return tuple(s.delivery_id for s in self.steps)

    @property
    def resolves_by_key(self) -> bool:
        """True when rows have to be resolved by the bronze contract's key."""
        return any(s.action != "rows" for s in self.steps)

    @property
    def fingerprint(self) -> str:
        """Digest of the content that counts: actions and checksums in order.

        Names, sequence numbers and times are outside it, so the same bytes sent again
        change nothing downstream.
        """
        body = [self.completeness, [(s.action, s.sha256) for s in self.steps]]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32]


def effective(deliveries: Iterable[Delivery]) -> Effective:
    """Fold all deliveries of one dataset and interval into what counts.

    In order of sequence: a full delivery starts again; a part adds, and takes the place of the
    part that was sent before it under its number or, without a number, under its file's name (the
    same bytes under that name change nothing); a correction lies over what came before, by key; a
    withdrawal removes by key, or everything when it has no rows. Refused deliveries count
    for nothing, their numbers are known all the same. Raises ValueError when the deliveries
    are of several intervals, or none is given.
    """
    by_id = {d.delivery_id: d for d in sorted(deliveries, key=lambda d: d.status == "landed")}
    seen = sorted(by_id.values(), key=lambda d: (d.sequence, d.delivery_id))
    places = {(d.dataset, d.interval) for d in seen}
    if len(places) != 1:
        raise ValueError(f"deliveries of exactly one dataset and interval expected, got {places}")
    dataset, interval = places.pop()
    steps: list[Step] = []
    base: Literal["none", "full", "parts"] = "none"
    base_from = 1
    expected_parts: int | None = None
    withdrawn = False
    counted: list[Delivery] = []
    for d in (d for d in seen if d.status == "landed"):
        before = [s for s in steps if d.mode == "part" and s.place == _place(d)]
        if d.part is None and any(s.sha256 == d.sha256 for s in before):
            continue
        empties = d.mode == "withdrawal" and d.rows == 0
        if d.mode == "full" or empties:
            steps, counted, base_from, expected_parts = [], [], d.sequence, None
            withdrawn = empties
            base = "none" if empties else "full"
        counted.append(d)
        if empties:
            continue
        if d.mode == "part":
            if base == "none":
                base, withdrawn = "parts", False
            expected_parts = d.parts or expected_parts
            steps = [s for s in steps if s not in before]
        steps.append(_step(d))
    reasons = _missing(seen, steps, base, base_from, expected_parts, withdrawn)
    return Effective(
        dataset=dataset,
        interval=interval,
        steps=tuple(steps),
        completeness="partial" if reasons else "complete",
        reasons=reasons,
        received_at=max((d.received_at for d in counted), default=None),
    )


def _step(d: Delivery) -> Step:
    actions: dict[Mode, Action] = {"correction": "overlay", "withdrawal": "withdraw"}
    return Step(
        delivery_id=d.delivery_id,
        action=actions.get(d.mode, "rows"),
        sha256=d.sha256,
        sequence=d.sequence,
        rows=d.rows,
        part=d.part,
        place=_place(d),
    )


def _place(d: Delivery) -> int | str | None:
    """A part's number, or its file's name where nobody numbered it."""
    if d.mode != "part":
        return None
    return d.file if d.part is None else d.part


def _missing(
    seen: list[Delivery],
    steps: list[Step],
    base: str,
    base_from: int,
    expected_parts: int | None,
    withdrawn: bool,
) -> tuple[str, ...]:
    """Why the interval is not complete; empty when it is."""
    reasons: list[str] = []
    if withdrawn:
        reasons.append("everything delivered so far was withdrawn")
    elif base == "none":
        reasons.append("the delivery that corrections refer to has not arrived")
    if base == "parts" and expected_parts is None:
        reasons.append("delivered in parts, their number is not known")
    if base == "parts" and expected_parts is not None:
        here = {s.part for s in steps if s.action == "rows"}
        absent = [str(p) for p in range(1, expected_parts + 1) if p not in here]
        if absent:
            reasons.append(f"part {', '.join(absent)} of {expected_parts} has not arrived")
    numbers = {d.sequence for d in seen}
    gaps = [str(n) for n in range(base_from, max(numbers)) if n not in numbers]
    if gaps:
        reasons.append(f"delivery {', '.join(gaps)} has not arrived")
    return tuple(reasons)


def from_manifest(manifest: Manifest, *, received_at: datetime, path: str, format: str) -> Delivery:
    """The record of a delivery that landed with a manifest (``received_at`` in UTC)."""
    return Delivery(
        delivery_id=delivery_id(
            manifest.dataset, manifest.interval, manifest.sequence, manifest.sha256
        ),
        system=manifest.system,
        dataset=manifest.dataset,
        interval=manifest.interval,
        mode=manifest.mode,
        part=manifest.part,
        parts=manifest.parts,
        sequence=manifest.sequence,
        file=manifest.file,
        rows=manifest.rows,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        encoding=manifest.encoding,
        format=format,
        path=path,
        status="landed",
        has_manifest=True,
        generated_at=manifest.generated_at,
        received_at=received_at,
    )


def refuse(delivery: Delivery, code: str, message: str) -> Delivery:
    """The same delivery, recorded as refused with the error's code and sentence."""
    return replace(delivery, status="refused", error_code=code, message=message, path=None)


def unanswered(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Refused deliveries that nobody delivered again: nothing landed with their number or a later.

    The newest refusal of each dataset and interval; a file without a readable manifest has no
    number, and is answered by anything that landed.
    """
    landed: dict[tuple[str, str], int] = {}
    refused: dict[tuple[str, str], Delivery] = {}
    for d in deliveries:
        place, number = (d.dataset, d.interval), d.sequence or 0
        if d.status == "landed":
            landed[place] = max(landed.get(place, 0), number)
        elif d.status == "refused" and number >= (refused[place].sequence or 0 if place in refused
                                                  else 0):  # fmt: skip
            refused[place] = d
    return [d for place, d in sorted(refused.items()) if landed.get(place, -1) < (d.sequence or 0)]
