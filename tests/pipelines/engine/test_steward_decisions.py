"""A blocked day, as a steward frees it: decisions asked for, seconded, applied, and kept."""

from __future__ import annotations

from dataclasses import replace

from exlake.steward import standing
from exlake.steward.deciding import Act, record
from exlake.steward.explain_text import page
from exlake.steward.explaining import explain
from exlake.steward.wishes import Wish
from exlake.tracing import trace
from pipelines.engine.incidents import incidents_of
from pipelines.engine.ledgers import DECISION, INCIDENT
from tests.pipelines.engine.small_lake import D1, NOW, SmallLake, date_of, orders, settled

ANA, BO = (Act(person, person, NOW) for person in ("ana", "bo"))


def wish(kind: str, **terms: str) -> Wish:
    """A decision on the first day's orders."""
    return Wish(kind, "silver.order", D1, "asked the member", **terms)


def turn(lake: SmallLake, product: str = "silver.order") -> str:
    """Whose turn it is, by `exlake explain`."""
    return explain(lake.lake, product, D1).turn


def open_rules(lake: SmallLake) -> set[str]:
    """Rules whose incidents are open."""
    return {i.rule_id for i in incidents_of(lake.lake.ledgers.read(INCIDENT)) if i.open}


def test_a_blocked_day_is_freed_and_stays_free(lake: SmallLake) -> None:
    """Invariant 6: what a steward decides holds in later runs, backfills and rebuilds from bronze.

    A false total blocks the day. Nothing changes while the waiver waits for a second person;
    then the day is published with one row repaired, one let pass and one kept out.
    """
    lake.deliver("settle", D1, settled(D1, lots=999), sequence=2)
    lake.deliver("order", D1, orders(D1, o07="12.00", o08="12.00"), sequence=2)
    lake.run()
    assert lake.states()[f"silver.order {D1}"] == "blocked"
    assert lake.states()[f"gold.order_day {D1}"] == "held"
    assert {"order.lots.settled", "order.client.known", "order.price.range"} <= open_rules(lake)
    told = explain(lake.lake, "silver.order", D1)
    assert [(w.product, w.interval) for w in told.waiting] == [("gold.order_day", D1)]
    assert told.findings[0].rule == "order.lots.settled", "what blocks comes first"
    assert all("exlake waive order.lots.settled" in page(told, word) for word in ("zh", "en"))
    assert (told.turn, turn(lake, "gold.order_day")) == ("steward", "root")
    (waiver,) = record(
        lake.lake, [wish("waiver", rule="order.lots.settled", until=D1)], ANA
    )  # fmt: skip
    assert lake.planned() == {}, "a waiver alone wakes nothing"
    assert turn(lake) == "approver"
    standing.approve(lake.lake, [waiver.decision_id], BO)
    assert turn(lake) == "run"
    decided = record(
        lake.lake,
        [wish("patch", row="3", column="price", value="10.00"), wish("release", row="5"),
         wish("rejection", row="1")],
        ANA,
    )  # fmt: skip
    assert [d.pending for d in decided] == [False, False, False]
    lake.run()
    freed = ("o03", "o04", "o05", "o06", "o07", "o08")
    assert lake.ids() == freed, lake.state("silver.order", D1).reasons
    assert lake.states()[f"silver.order {D1}"] == "quarantine"
    assert lake.states()[f"gold.order_day {D1}"] == "published"
    assert turn(lake) == "review"
    freed_rules = {"order.lots.settled", "order.client.known", "order.price.range"}
    assert not freed_rules & open_rules(lake), "waived, released and repaired: closed"
    said = {r.rule_id: (r.outcome, r.decision_id, r.message) for r in lake.results(
        "silver.order", D1)}  # fmt: skip
    assert said["order.lots.settled"][:2] == ("failed", waiver.decision_id)
    assert "waived by bo" in said["order.lots.settled"][2]
    assert said["order.client.known"][0] == "failed", "evaluated all the same"
    assert "waived by ana: asked the member" in said["order.client.known"][2]
    assert said["order.price.range"][0] == "passed", "the repaired row was judged again"
    hashes = lake.hashes()
    lake.run(force=True, dates=(date_of(D1), date_of(D1)))
    assert lake.hashes() == hashes
    lake.forget("silver.order", "gold.order_day")
    lake.run()
    assert (lake.hashes(), lake.ids()) == (hashes, freed)
    standing.revoke(lake.lake, [waiver.decision_id], "the total was right", ANA)
    lake.run()
    assert lake.states()[f"silver.order {D1}"] == "blocked"
    assert lake.ids() == freed, "readers keep what was published"


def test_one_person_cannot_release_from_a_critical_rule(lake: SmallLake) -> None:
    """The engine counts no such release, even if somebody wrote it past the commands."""
    rule = next(r for r in lake.catalogue["silver.order"].rules if r.id == "order.client.known")
    strict = lake.with_rule("silver.order", rule.model_copy(update={"severity": "critical"}))
    strict.deliver("order", D1, orders(D1, o07="12.00", o08="12.00"), sequence=2)
    strict.run("silver.order")
    (asked,) = record(strict.lake, [wish("release", row="5")], ANA)
    assert asked.pending
    strict.decide(replace(asked, needs_approval=False))
    strict.run("silver.order")
    assert strict.states()[f"silver.order {D1}"] == "blocked"
    strict.lake.ledgers.append((DECISION, [asked]))
    standing.approve(strict.lake, [asked.decision_id], BO)
    strict.run("silver.order")
    assert strict.states()[f"silver.order {D1}"] == "quarantine"
    aside = {row["row_number"] for row in strict.aside()}
    stayed = {row["_row_number"] for row in strict.rows("silver.order", D1)}
    assert 5 in stayed, "released"
    assert aside
    assert not aside & stayed, "rejected"


def test_a_number_is_traced_to_delivery_and_line(built: SmallLake) -> None:
    """From a mart's row over the rows it was made of to the records as they were delivered."""
    steps = trace(built.lake, "gold.order_day", D1, {"client_id": "c1"}, limit=10)
    assert [(s.depth, s.product, s.rows) for s in steps[:2]] == [
        (0, "gold.order_day", 1),
        (1, "silver.order", 2),
    ]
    (mart,), found = steps[0].shown, steps[1]
    assert mart["lots"] == sum(int(o.original["lots"]) for o in found.origins) == 106
    assert [o.row_number for o in found.origins] == [1, 7]
    (delivery,) = {o.delivery_id for o in found.origins}
    assert {o.file for o in found.origins} == {"order_20260105.csv"}
    assert delivery.startswith("order-20260105-001-")
