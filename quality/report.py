"""The quality report of a run: one typed document, rendered to self-contained HTML.

The pages ask nothing of the network: style is inline, there is no script and no font to fetch.
Every text is escaped by the template engine. Chinese and English stand side by side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quality.board import Board
from quality.outcome import Decision, Verdict
from quality.trend import Trend

if TYPE_CHECKING:
    from jinja2 import Environment

    from contracts.model import Contract

MASK = "••••"
TEMPLATES = Path(__file__).parent / "templates"
KEPT_RUNS = 200
"""Runs listed on the index; older reports stay on disk."""


@dataclass(frozen=True)
class RunInfo:
    """Which run this is; times are aware, shown in Beijing time."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    command: str = ""
    code_version: str = ""


@dataclass(frozen=True)
class Sample:
    """One quarantined (or blocked) row; ``values`` are already masked (see ``masked``).

    ``file`` and ``row_number`` are where its sender finds it.
    """

    product: str
    interval: str
    broken: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    delivery_id: str | None = None
    file: str | None = None
    row_number: int | None = None


@dataclass(frozen=True)
class Held:
    """An interval that keeps its last published state, and the root cause it waits on."""

    product: str
    interval: str
    waiting_on: str
    reason: str


@dataclass(frozen=True)
class Refusal:
    """A delivery that was refused when it was landed."""

    file: str
    dataset: str
    interval: str
    code: str
    message: str
    next_step: str
    received_at: datetime | None = None


@dataclass(frozen=True)
class ReportDocument:
    """Everything a run's report shows.

    ``contracts`` are those of the verdicts' products (titles, owners, rule texts). ``unchanged``
    are intervals judged equal to what is published, ``samples`` at most a few per rule,
    ``decisions`` those in force for these products. ``trends``: (product, rule id) -> outcomes.
    ``board`` is the whole lake when the run had ended, not this run alone.
    """

    run: RunInfo
    contracts: Mapping[str, Contract]
    verdicts: tuple[Verdict, ...]
    samples: tuple[Sample, ...] = ()
    held: tuple[Held, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    decisions: tuple[Decision, ...] = ()
    unchanged: frozenset[tuple[str, str]] = frozenset()
    trends: Mapping[tuple[str, str], Trend] = field(default_factory=dict)
    board: Board | None = None


@dataclass(frozen=True)
class RunLine:
    """One run on the index."""

    run_id: str
    started_at: str
    path: str
    seconds: float
    intervals: int
    published: int
    with_quarantine: int
    blocked: int
    held: int
    refused: int
    built: int
    quarantined: int
    dates: str = ""
    notes: tuple[str, ...] = field(default=())


def masked(
    row: Mapping[str, Any], contract: Contract, clearance: int = 2
) -> tuple[tuple[str, str], ...]:
    """A row's values as text, hiding columns classified above ``clearance``; nulls are ``∅``.

    Hidden values are replaced entirely: the delivery's file and line say which row it is. A
    column the contract does not know is hidden too.
    """
    levels = {c.name: c.classification for c in contract.columns}
    shown = []
    for name, value in row.items():
        if name.startswith("_"):
            continue
        if value is None:
            shown.append((name, "∅"))
        elif levels.get(name, 4) > clearance:
            shown.append((name, MASK))
        else:
            shown.append((name, str(value)))
    return tuple(shown)


def render(document: ReportDocument, earlier: str | None = None) -> dict[str, str]:
    """Render to ``{relative path: text}``: ``runs/<run id>.html``, ``index.html``, ``runs.json``.

    ``earlier`` is the text of the previous ``runs.json``, if there is one: the index lists its
    runs too. Rendering the same run again replaces its line.
    """
    from quality.report_view import run_line, run_view

    engine = environment()
    line = run_line(document)
    lines = [line, *(x for x in _read_lines(earlier) if x.run_id != line.run_id)]
    lines.sort(key=lambda x: (x.started_at, x.run_id), reverse=True)
    lines = lines[:KEPT_RUNS]
    page = engine.get_template("run.html.j2").render(view=run_view(document))
    index = _index(lines, document.board)
    return {
        line.path: page,
        "index.html": index,
        "runs.json": json.dumps([asdict(x) for x in lines], ensure_ascii=False, indent=1) + "\n",
    }


def render_index(earlier: str | None, board: Board) -> str:
    """The index again, with the first screen as it is now: between runs, decisions change it."""
    return _index(_read_lines(earlier), board)


def _index(lines: list[RunLine], board: Board | None) -> str:
    return (
        environment()
        .get_template("index.html.j2")
        .render(lines=lines, most=max((x.quarantined for x in lines), default=0), board=board)
    )


def _read_lines(text: str | None) -> list[RunLine]:
    """The runs an earlier index listed; a damaged file starts the list anew."""
    if not text:
        return []
    try:
        return [RunLine(**{**x, "notes": tuple(x.get("notes", ()))}) for x in json.loads(text)]
    except (ValueError, TypeError, AttributeError):
        return []


@lru_cache(maxsize=4)
def environment(*folders: Path) -> Environment:
    """The report's template engine (texts escaped); templates of ``folders`` go before its own."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from quality.report_view import beijing, count, words
    from quality.trend import drawing

    engine = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {"beijing": beijing, "count": count, "drawing": drawing}
    engine.globals["words"] = words
    return engine
