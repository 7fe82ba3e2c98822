"""What the world remembers between trade dates, saved so that a later run continues it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import TerminalError


class WorldMismatchError(TerminalError):
    """Raised when a folder holds another world, or a date does not follow its last one."""

    code = "simulation-world-mismatch"

    def __init__(self, what: str, *, next_step: str) -> None:
        super().__init__(what, next_step=next_step)


@dataclass(frozen=True)
class WorldState:
    """The end of one trade date.

    Positions are one row per contract, account (client and hedge flag) and side (0 long,
    1 short). Prices are ticks of the contract, money is in 0.01 CNY. ``lock_streak`` counts per
    contract the dates in a row at one price limit, signed; ``receipts`` is the table of
    ``receipts.Receipts``.
    """

    seed: int
    scale: str
    start: date
    trade_date: date
    contract_id: NDArray[np.str_]
    settle: NDArray[np.int64]
    close: NDArray[np.int64]
    open_interest: NDArray[np.int64]
    position_contract: NDArray[np.str_]
    position_account: NDArray[np.int32]
    position_side: NDArray[np.int8]
    position_lots: NDArray[np.int64]
    member_balance: NDArray[np.int64]
    member_margin: NDArray[np.int64]
    rank_contract: NDArray[np.str_]
    rank_member: NDArray[np.int32]
    rank_lots: NDArray[np.int64]
    stock: NDArray[np.int64]
    contact_version: NDArray[np.int32]
    lock_streak: NDArray[np.int8]
    client_balance: NDArray[np.int64]
    client_margin: NDArray[np.int64]
    receipts: NDArray[np.int64]
    next_receipt: int

    @property
    def streaks(self) -> dict[str, int]:
        """Dates in a row at one price limit by contract, signed."""
        names = self.contract_id
        return {str(n): int(s) for n, s in zip(names, self.lock_streak, strict=True)}

    def save(self, folder: Path) -> Path:
        """Write the state as ``state-<date>.npz`` with fixed member times, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"state-{self.trade_date.isoformat()}.npz"
        scalars: dict[str, Any] = {}
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for field in fields(self):
                value = getattr(self, field.name)
                if not isinstance(value, np.ndarray):
                    scalars[field.name] = value.isoformat() if isinstance(value, date) else value
                    continue
                member = io.BytesIO()
                np.save(member, value, allow_pickle=False)
                _add(archive, f"{field.name}.npy", member.getvalue())
            _add(archive, "world.json", json.dumps(scalars, sort_keys=True).encode())
        partial = path.with_suffix(".partial")
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
        return path


def load_state(path: Path) -> WorldState:
    """Read a state written by ``WorldState.save``. Raises WorldMismatchError."""
    with zipfile.ZipFile(path) as archive:
        scalars = json.loads(archive.read("world.json"))
        values: dict[str, Any] = {
            name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
            if name.endswith(".npy")
        }
    if {*scalars, *values} != {field.name for field in fields(WorldState)}:
        raise WorldMismatchError(
            f"{path} was written by another version of the simulation.",
            next_step="use another home, or simulate this world again from its start.",
        )
    for name in ("start", "trade_date"):
        scalars[name] = date.fromisoformat(scalars[name])
    return WorldState(**scalars, **values)


def state_before(
    folder: Path, day: date, previous: date, seed: int, scale: str
) -> WorldState | None:
    """Return the state at the end of ``previous``, or None when the world begins on ``day``.

    Raises WorldMismatchError when the folder's world has another seed or scale, or when its
    last simulated date before ``day`` is not ``previous``.
    """
    dates = sorted(date.fromisoformat(p.stem[6:]) for p in folder.glob("state-*.npz"))
    earlier = [d for d in dates if d < day]
    known = load_state(folder / f"state-{dates[0].isoformat()}.npz") if dates else None
    if known is not None and (known.seed, known.scale) != (seed, scale):
        raise WorldMismatchError(
            f"{folder} holds the world of seed {known.seed} at scale {known.scale}, "
            f"not of seed {seed} at scale {scale}.",
            next_step="give the same seed and scale, or another home.",
        )
    if known is not None and not earlier and day != known.start:
        raise WorldMismatchError(
            f"The world in {folder} begins on {known.start}; {day} lies before it.",
            next_step="simulate dates from the start on, or use another home.",
        )
    if not earlier:
        return None
    if earlier[-1] != previous:
        raise WorldMismatchError(
            f"{day} does not follow {earlier[-1]}, the world's last simulated trade date.",
            next_step=f"simulate the dates from {earlier[-1]} to {day} in order.",
        )
    return load_state(folder / f"state-{previous.isoformat()}.npz")


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), data,
                     compress_type=zipfile.ZIP_DEFLATED)  # fmt: skip
