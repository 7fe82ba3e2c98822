"""What the fault matrix found, as a line per case and as the page in ``docs/``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One line of the matrix: where it was disturbed, and what was found afterwards."""

    name: str
    how: str
    kills: int
    lost: int
    doubled: int
    unaudited: int
    looks: int
    faults: tuple[str, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """True when the lake is as if nothing had happened and no reader saw anything else."""
        return not (self.lost or self.doubled or self.unaudited or self.faults)


def line(case: Case) -> str:
    """One line of the table."""
    wrong = "as undisturbed" if case.good else "; ".join(case.faults) or "rows differ"
    return (
        f"| {case.name} | {case.how} | {case.kills} | {case.lost} | {case.doubled} "
        f"| {case.unaudited} of {case.looks} looks | {wrong} | {case.seconds:.0f} |"
    )


def page(cases: list[Case]) -> str:
    """The page of the whole matrix."""
    kills = sum(case.kills for case in cases)
    bad = [case for case in cases if not case.good]
    says = "Every case ended as undisturbed." if not bad else f"**{len(bad)} cases are wrong.**"
    lead = (
        "Each case takes a small lake (four products, two days, one of them full of dirty rows), "
        "ends a process with SIGKILL at the point, runs again, and compares with a lake that "
        "nobody disturbed: hashes of every product, every ledger, every row of bronze, silver, "
        "gold and quarantine, the published file, the lineage events. A reader looks at the Delta "
        "tables and the DuckDB file all the while; *unaudited* counts what it saw that no "
        "undisturbed lake ever shows."
    )
    head = "| point | process | kills | rows lost | doubled | unaudited seen | then | s |"
    foot = (
        "`committed:3` is the third time the point is reached; `committing:40` is 40 ms after the "
        "commit began, while the JVM is at it. Points are named in `pipelines/engine/faults.py`. "
        "Backups and messages have their own kills: `tests/pipelines/engine/test_backup.py`, "
        "`tests/exlake/test_messages.py`."
    )
    wrote = (
        "Written by `python -m tests.pipelines.engine.fault_matrix`, from what it found. "
        f"{len(cases)} cases, {kills} kills. {says}"
    )
    table = [head, "|---|---|---|---|---|---|---|---|", *map(line, cases)]
    return "\n".join(["# Fault matrix", "", wrote, "", lead, "", *table, "", foot, ""])
