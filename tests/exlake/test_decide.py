"""Stewards' commands: what they record, what they refuse, and who has to say yes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.decisions import standing
from pipelines.engine.ledgers import DECISION, Ledgers
from tests.exlake.steward_desk import DAY, DELIVERY, plant, said

AT = ("--interval", DAY)
WHY = ("--reason", "checked with the member")


class Desk:
    """The commands, on a planted lake, without Java on the path."""

    def __init__(self, run: Callable[..., tuple[int, str, str]], ledgers: Ledgers) -> None:
        self.run, self.ledgers = run, ledgers

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows a command prints."""
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def refused(self, *arguments: str) -> str:
        """The error a command ends with; it recorded nothing."""
        before = self.ledgers.read(DECISION)
        code, _, err = self.run(*arguments)
        assert code == 3, err
        assert "next: " in err
        assert self.ledgers.read(DECISION) == before
        return err

    def in_force(self) -> dict[str, tuple[str | None, str | None, int | None]]:
        """Kind, rule and line of every decision that the engine sees."""
        return {
            d.decision_id: (d.kind, d.rule_id, d.row_number)
            for d in standing(self.ledgers.read(DECISION))
        }


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A steward called ana sits at the keyboard."""
    ledgers = plant(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "EXLAKE_HOME": str(tmp_path / "lake"), "LOGNAME": "ana", "JAVA_HOME": "/nonexistent",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        return said(monkeypatch, capsys, *arguments)

    return Desk(run, ledgers)


def test_a_release_is_recorded_for_every_row_and_rule_it_frees(desk: Desk) -> None:
    """All rows of a rule in one act; the person is the system's user; warnings are no matter."""
    rows = desk.json(
        "quarantine", "release", "silver.trade", *AT, *WHY, "--rule", "trade.client.known"
    )
    assert [(r["row"], r["rule"], r["by"]) for r in rows] == [
        (f"{DELIVERY}:7", "trade.client.known", "ana"),
        (f"{DELIVERY}:9", "trade.client.known", "ana"),
    ]
    assert len({r["decision_id"].split(".")[0] for r in rows}) == 1
    assert {r["state"] for r in rows} == {"in force"}
    (one,) = desk.json("quarantine", "release", "silver.trade", *AT, *WHY, "--row", "3")
    assert one["rule"] == "trade.price.range", "the warning moves nothing"


def test_a_repair_and_a_rejection_name_one_row(desk: Desk) -> None:
    """A patch keeps column and new value, a second one for the same cell waits for a revocation."""
    repair = ("quarantine", "repair", "silver.trade", *AT, *WHY, "--row", f"{DELIVERY}:3")
    (patch,) = desk.json(*repair, "--set", "price=3520.5")
    assert (patch["change"], patch["state"]) == ("price = 3520.5", "in force")
    assert "[decision-terms]" in desk.refused(*repair, "--set", "price=1")
    desk.json("decisions", "revoke", patch["decision_id"], "--reason", "wrong page")
    desk.json(*repair, "--set", "price=1")
    desk.json("quarantine", "reject", "silver.trade", *AT, *WHY, "--row", "7,9")
    kinds = sorted((kind, line) for kind, _, line in desk.in_force().values())
    assert kinds == [("patch", 3), ("rejection", 7), ("rejection", 9)]


def test_a_waiver_waits_for_a_second_person(desk: Desk) -> None:
    """Asked for by one, approved by another; until then the engine does not see it."""
    waive = ("waive", "trade.volume.settled", "--product", "silver.trade", *AT, *WHY)
    (asked,) = desk.json(*waive, "--until", DAY)
    assert asked["state"] == "waits for approval"
    assert desk.in_force() == {}
    act = asked["decision_id"].split(".")[0]
    assert "[decision-approver]" in desk.refused("decisions", "approve", act)
    (approved,) = desk.json("decisions", "approve", act, "--by", "bo")
    assert (approved["by"], approved["approved_by"]) == ("ana", "bo")
    assert approved["entered_by"] == "ana", "whose keyboard it was is kept"
    assert list(desk.in_force()) == [asked["decision_id"]]
    assert "[unknown-decision]" in desk.refused("decisions", "approve", act, "--by", "cy")
    history = desk.ledgers.read(DECISION)
    assert [r.approved_by for r in history] == [None, "bo"], "nothing is overwritten"


def test_named_rows_can_be_waived_until_a_date(desk: Desk) -> None:
    """`waive --rows` frees these rows of this rule alone, and needs a second person too."""
    waive = ("waive", "trade.client.known", "--product", "silver.trade", *AT, *WHY)
    (row,) = desk.json(*waive, "--rows", "7", "--until", "2026-01-09")
    assert (row["kind"], row["row"], row["until"]) == ("release", f"{DELIVERY}:7", "2026-01-09")
    assert row["state"] == "waits for approval"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("decision-rows", ("quarantine", "release", "silver.trade", *AT, *WHY, "--row", "8")),
        ("decision-rows", ("quarantine", "release", "silver.trade", *AT, *WHY, "--row", "4")),
        ("decision-rows", ("quarantine", "reject", "silver.trade", *AT, *WHY, "--row", "x")),
        ("decision-terms", ("quarantine", "release", "silver.trade", *AT, *WHY)),
        ("decision-terms", ("quarantine", "release", "silver.trade", *AT, "--reason", " ",
                            "--row", "3")),
        ("decision-terms", ("quarantine", "release", "bronze.trade", *AT, *WHY, "--row", "3")),
        ("decision-terms", ("quarantine", "repair", "silver.trade", *AT, *WHY, "--row", "3",
                            "--set", "price=1.23456")),
        ("decision-terms", ("quarantine", "repair", "silver.trade", *AT, *WHY, "--row", "3",
                            "--set", "trade_date=2026-01-06")),
        ("unknown-rule", ("quarantine", "release", "silver.trade", *AT, *WHY, "--rule", "prise")),
        ("unknown-product", ("quarantine", "release", "silver.tade", *AT, *WHY, "--row", "3")),
        ("decision-expired", ("waive", "trade.volume.settled", "--product", "silver.trade", *AT,
                              *WHY, "--until", "2026-01-04")),
        ("decision-fault", ("waive", "trade.high_low.settled", "--product", "silver.trade", *AT,
                            *WHY, "--until", DAY)),
        ("decision-fault", ("waive", "trade.lots.range", "--product", "silver.trade", *AT, *WHY,
                            "--until", DAY)),
        ("unknown-decision", ("decisions", "revoke", "nothing", *WHY)),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_is_refused(
    desk: Desk, code: str, arguments: tuple[str, ...]
) -> None:
    """Each refusal has its code and a next step, and leaves the ledger alone."""
    assert f"[{code}]" in desk.refused(*arguments)


def test_a_file_is_one_act(desk: Desk, tmp_path: Path) -> None:
    """CSV from a spreadsheet or JSON: all decisions or none."""
    head = "\ufeffkind,product,interval,reason,row,rule,column,value,until\n"
    good = (
        f"release,silver.trade,{DAY},known by phone,7,,,,\n"
        f"patch,silver.trade,{DAY},typing error,3,,price,12.5,\n"
        f"waiver,silver.trade,{DAY},clearing was late,,trade.volume.settled,,,{DAY}\n"
    )
    listed, wrong = tmp_path / "monday.csv", tmp_path / "wrong.csv"
    listed.write_text(head + good, encoding="utf-8")
    wrong.write_text(head + good + f"release,silver.trade,{DAY},x,99,,,,\n", encoding="utf-8")
    assert "[decision-rows]" in desk.refused("decisions", "record", str(wrong))
    rows = desk.json("decisions", "record", str(listed))
    assert [r["kind"] for r in rows] == ["release", "patch", "waiver"]
    same = tmp_path / "more.json"
    same.write_text(json.dumps([{"kind": "forget", "product": "silver.trade"}]), encoding="utf-8")
    assert "has no interval, reason" in desk.refused("decisions", "record", str(same))


def test_the_list_tells_what_is_in_force_and_what_waits(desk: Desk) -> None:
    """Pending and revoked decisions are told apart, and none is said to be applied before a run."""
    (freed,) = desk.json("quarantine", "release", "silver.trade", *AT, *WHY, "--row", "7")
    desk.json("waive", "trade.volume.settled", "--product", "silver.trade", *AT, *WHY,
              "--until", DAY)  # fmt: skip
    listed = desk.json("decisions", "list", "--product", "silver.trade")
    assert [(r["kind"], r["state"], r["applied"]) for r in listed] == [
        ("release", "in force", False),
        ("waiver", "waits for approval", False),
    ]
    assert [r["kind"] for r in desk.json("decisions", "list", "--pending")] == ["waiver"]
    desk.json("decisions", "revoke", freed["decision_id"], "--reason", "wrong row")
    assert len(desk.json("decisions", "list")) == 1
    states = {r["kind"]: r["state"] for r in desk.json("decisions", "list", "--all")}
    assert states["release"] == "revoked"
