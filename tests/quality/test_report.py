"""The run's report: everything a steward needs, nothing from outside, nothing leaked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from quality_cases import column, contract, rule

from quality.outcome import Decision, Verdict
from quality.report import (
    MASK,
    Held,
    Refusal,
    ReportDocument,
    RunInfo,
    Sample,
    masked,
    render,
)
from quality.results import declare, result

HOSTILE = (
    "\"><script>alert(1)</script><img src=https://evil.example/x onerror=x()> & ' ${7*7} {{7*7}}"
)
START = datetime(2026, 1, 7, 9, tzinfo=UTC)
RULES = (
    rule("thing.a", "expression", sql="id > 0"),
    rule("thing.b", "reconcile", "critical", sql="SELECT 1", dimension="accuracy"),
    rule("thing.c", "not_null", columns=("id",)),
    rule("thing.d", "freshness", "warning", dimension="timeliness"),
    rule("thing.e", "not_null", "critical", columns=("id",)),
)
THING = contract(
    (
        column("trade_date", "date"),
        column("id", "int"),
        column("client_id", "string", classification=3),
        column("name", "string", classification=4),
    ),
    RULES,
)


def document(text: str = "plain", run_id: str = "run 1") -> ReportDocument:
    day = "2026-01-05"
    evidence = json.dumps(
        [{"key": {"contract_id": text}, "expected": "3", "actual": None, "difference": "-3"}]
    )
    results = (
        result(THING, RULES[0], day, "failed", "", failing=2, checked=10, gx_failing=2),
        result(
            THING,
            RULES[1],
            day,
            "failed",
            text,
            failing=1,
            checked=4,
            expected="110.5",
            actual="108.51",
            difference="-1.99",
            evidence=evidence,
        ),
        result(THING, RULES[2], day, "passed", "", failing=0, checked=10, gx_failing=0),
        declare(THING, RULES[3], day, "not_due", text),
        declare(THING, RULES[4], day, "not_evaluated", text),
    )
    blocked = Verdict("silver.thing", day, "block", 10, 8, 2, results, (text,))
    fine = Verdict("silver.thing", "2026-01-06", "publish", 7, 7, 0, (), ())
    row = {"id": 1, "client_id": "80012345", "name": text, "trade_date": None, "stray": text}
    return ReportDocument(
        run=RunInfo(run_id, START, START + timedelta(seconds=90), text, text),
        contracts={"silver.thing": THING.model_copy(update={"title": text, "owner": text})},
        verdicts=(blocked, fine),
        samples=(Sample("silver.thing", day, (text,), masked(row, THING), text, text, 12),),
        held=(Held("gold.mart", day, text, text),),
        refusals=(Refusal(text, text, day, "checksum", text, text),),
        decisions=(
            Decision(
                "waiver",
                "silver.thing",
                day,
                None,
                None,
                "thing.a",
                text,
                text,
                text,
                date(2026, 2, 1),
                None,
                START,
                "w1",
            ),
        ),
    )


class Page(HTMLParser):
    # ruff: noqa: D102
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        self.links += [str(v) for name, v in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_everything_a_steward_needs_is_there() -> None:
    """Both figures, the difference, the worst keys, file and line, owner, cause, next step."""
    page = Page(render(document())["runs/run-1.html"]).text
    for wanted in (
        "110.5",
        "108.51",
        "-1.99",
        "contract_id=plain",
        "plain:12",
        "not evaluated",
        "not yet due",
        "thing.c",
        "waiting on",
        "next step",
        "拦截",
        "110.5",
        "2026-01-07 17:00",
        "checksum",
    ):
        assert wanted in page, wanted


def test_nothing_is_fetched_from_outside() -> None:
    """Invariant 11: no address but the report's own pages, no script, a policy that says so."""
    for path, text in render(document()).items():
        if not path.endswith(".html"):
            continue
        page = Page(text)
        assert "default-src 'none'" in text
        assert not page.tags & {"script", "iframe", "object", "embed", "form", "base"}
        assert not re.findall(r"(?i)(?:https?:)?//[\w.]+|url\(|@import", text)
        known = ("#", "data:,", "runs/", "../index.html", "../catalog/", "../../catalog/")
        outside = [x for x in page.links if not x.startswith(known)]
        assert outside == []


def test_hostile_text_stays_text() -> None:
    """Names, reasons and file names come from outside: each is escaped wherever it is shown."""
    pages = render(document(HOSTILE, HOSTILE))
    for path, text in pages.items():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", path)
        if path.endswith(".html"):
            page = Page(text)
            assert not page.tags & {"script", "img"}
            assert HOSTILE in page.text


def test_values_above_clearance_are_replaced_entirely() -> None:
    """A sample shows no character of a masked value, nor of a column nobody classified."""
    row = {"id": 1, "client_id": "80012345", "name": "王小明", "x": "y", "_row_number": 3}
    assert masked(row, THING) == (("id", "1"), ("client_id", MASK), ("name", MASK), ("x", MASK))
    assert masked(row, THING, clearance=3)[1] == ("client_id", "80012345")
    assert masked({"id": None}, THING) == (("id", "∅"),)
    assert "80012345" not in "".join(render(document()).values())


def test_the_index_lists_every_run_once() -> None:
    """Runs gather on the index, newest first; rendering a run again replaces its line."""
    first = render(document(run_id="a"))
    later = document(run_id="b")
    later = replace(
        later,
        run=replace(
            later.run, started_at=START + timedelta(days=1), finished_at=START + timedelta(days=1)
        ),
    )
    second = render(later, first["runs.json"])
    third = render(later, second["runs.json"])
    assert [x["run_id"] for x in json.loads(third["runs.json"])] == ["b", "a"]
    assert third["index.html"] == second["index.html"]
    assert third["index.html"].index("runs/b.html") < third["index.html"].index("runs/a.html")
    for damaged in ("", "{", "[1]", '[{"no": 1}]', "null"):
        assert len(json.loads(render(later, damaged)["runs.json"])) == 1


@pytest.mark.parametrize("verdicts", [(), document().verdicts[1:]])
def test_a_quiet_run_has_a_report_too(verdicts: tuple[Verdict, ...]) -> None:
    """Nothing new, or nothing wrong: the page says so and is small."""
    quiet = ReportDocument(RunInfo("q", START, START), {}, verdicts)
    page = render(quiet)["runs/q.html"]
    assert len(page.encode()) < 20_000
    assert ("This run judged no interval" in page) == (not verdicts)
