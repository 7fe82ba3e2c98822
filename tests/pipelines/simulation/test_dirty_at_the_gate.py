"""Every kind of dirt of issue 4, landed and run: the gate's verdicts are those of the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from delivered import SEED, trade_dates
from deltalake import DeltaTable

from pipelines.engine.delivery import Delivery
from pipelines.engine.lake import Lake, open_lake
from pipelines.engine.ledgers import INTERVAL
from pipelines.engine.rows import IntervalRow
from pipelines.engine.run import run
from pipelines.engine.settings import load_settings
from pipelines.simulation.dirt import CSV_KINDS, OWN_KINDS
from pipelines.simulation.world import simulate
from pipelines.sources.landing import land

pytestmark = [pytest.mark.spark, pytest.mark.full, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[3]
D1, D2, D3, D4 = trade_dates(4)
PRODUCTS = (
    "silver.commodity", "silver.contract", "silver.member", "silver.client", "silver.control_group",
    "silver.settlement", "silver.order_event", "silver.trade", "silver.position",
    "silver.member_fund", "silver.login", "silver.quote_request", "gold.client_day",
    "gold.member_day",
)  # fmt: skip
"""What the dirt touches, and the marts made of it."""

Row = dict[str, Any]
Place = tuple[str, str]
"""(product, interval)."""


@dataclass(frozen=True)
class World:
    """A lake and what is known of it after one landing and run."""

    lake: Lake
    deliveries: list[Delivery]
    states: dict[Place, IntervalRow]
    quarantined: dict[str, list[Row]]
    published: dict[str, dict[str, Row]]
    """Readable rows by product and ``interval key``, business columns only."""


def readable(lake: Lake, product: str) -> dict[str, Row]:
    """What readers of a product see now."""
    contract = lake.catalogue[product]
    path = lake.settings.table(product)
    if not (path / "_delta_log").exists():
        return {}
    names = [column.name for column in contract.business_columns]
    found = DeltaTable(str(path)).to_pyarrow_table(columns=names)
    column = contract.interval_column
    return {
        f"{row[column] if column else 'all'} " + "|".join(str(row[k]) for k in contract.key): {
            **row,
            "interval": str(row[column]) if column else "all",
        }
        for row in found.to_pylist()
    }


def work(home: Path, dates: Iterable[Any], dirty: str | None) -> World:
    """Simulate, land and run as the commands do; any failure of a batch is raised."""
    simulate(home / "inbox", list(dates), SEED, "tiny", dirty=dirty)
    options = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    settings = load_settings(
        environ={}, home=home, master="local[2]", driver_memory="1g", spark_options=options
    )
    lake = open_lake(settings)
    deliveries = land(settings, lake.catalogue)
    for failure in run(settings, lake=lake, products=PRODUCTS).failures:
        raise failure.error
    newest = sorted(lake.ledgers.read(INTERVAL), key=lambda row: row.sequence)
    states = {(r.product, r.interval): r for r in newest if r.product in PRODUCTS}
    counts = {row.batch_id for row in states.values()}
    quarantined = {}
    for product in PRODUCTS:
        path = home / "quarantine" / product.replace(".", "_")
        if path.exists():
            rows = DeltaTable(str(path)).to_pyarrow_table().to_pylist()
            quarantined[product] = [r for r in rows if r["batch_id"] in counts]
    published = {product: readable(lake, product) for product in PRODUCTS}
    return World(lake, deliveries, states, quarantined, published)


@dataclass(frozen=True)
class Story:
    """The same four dates, dirty in two steps and clean in one, and the truth about the dirt."""

    spoiled: World
    mended: World
    clean: World
    truth: list[Row]

    def told(self, *gates: str) -> list[Row]:
        """The labels whose ``gate`` is one of these."""
        return [label for label in self.truth if label["gate"] in gates]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Three dates with every kind of dirt; then the fourth with what was late and corrected."""
    if not list((ROOT / ".jars").glob("*.jar")):
        pytest.skip("no Delta jars in .jars: run `make setup`")
    home = tmp_path_factory.mktemp("gate")
    spoiled = work(home / "dirty", (D1, D2, D3), "all")
    mended = work(home / "dirty", (D4,), "all")
    truth = [
        json.loads(line)
        for path in sorted((home / "dirty" / "truth").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    dirt = [record for record in truth if record["kind"] == "dirty"]
    return Story(spoiled, mended, work(home / "clean", (D1, D2, D3, D4), None), dirt)


def test_every_kind_is_there(story: Story) -> None:
    """The world holds each kind at least once, each with what the gate must do."""
    assert {r["dirt"] for r in story.truth} == set(CSV_KINDS).union(*OWN_KINDS.values())
    assert {r["gate"] for r in story.truth} == {"publish", "quarantine", "block", "none"}


def test_exactly_the_labelled_deliveries_are_refused(story: Story) -> None:
    """Each with the code of its label; a clean world has no refusal."""
    seen = story.spoiled.deliveries + story.mended.deliveries
    refused = {(Path(d.file).name, d.error_code) for d in seen if d.status != "landed"}
    assert refused == {(r["file"], r["rule"]) for r in story.truth if r["land"] == "refused"}
    assert {d.status for d in story.clean.deliveries} == {"landed"}


def test_exactly_the_labelled_rows_leave(story: Story) -> None:
    """No other row is in quarantine, in either step, and each one names the rule of its label."""
    expected = {
        (label["product"], label["interval"], str(key), label["rule"])
        for label in story.told("quarantine")
        for key in label["keys"]
    }
    for world in (story.spoiled, story.mended):
        left: dict[tuple[str, str, str], set[str]] = {}
        count = 0
        for product, rows in world.quarantined.items():
            for row in rows:
                if row["state"] == "quarantined":
                    key = json.loads(row["row_key"])
                    key.pop("trade_date")
                    [name] = key.values()
                    place = (product, row["interval"], str(name))
                    left.setdefault(place, set()).update(json.loads(row["rules"]))
                    count += 1
        assert set(left) == {e[:3] for e in expected}
        assert count == len(expected)
        assert all(rule in left[product, at, key] for product, at, key, rule in expected)
    assert not any(story.clean.quarantined.values())


def test_exactly_the_labelled_intervals_wait(story: Story) -> None:
    """Blocked: those of the truth. Held: what is made of them on that date, and nothing else.
    Late and missing ones are not there at all. All other intervals are published."""
    graph = story.spoiled.lake.graph
    blocked = {(p, r["interval"]) for r in story.truth for p in r["blocked"]}
    absent = {
        (r["product"], r["interval"])
        for r in story.truth
        if r["land"] in ("late", "missing") and (r["product"], "all") not in story.spoiled.states
    }
    held = {
        (p, at) for product, at in blocked for p in graph.downstream([product]) if p in PRODUCTS
    } - absent  # fmt: skip
    states = {place: row.state for place, row in story.spoiled.states.items()}
    assert {place for place, state in states.items() if state == "blocked"} == blocked
    assert {place for place, state in states.items() if state == "held"} == held
    assert not absent & set(states)
    assert {s for p, s in states.items() if p not in blocked | held} == {"published", "quarantine"}
    for place in blocked:
        [label] = [r for r in story.truth if place[0] in r["blocked"]]
        told = " ".join(story.spoiled.states[place].reasons)
        assert label["rule"] in told or "all " in told


def test_nothing_wrong_is_readable_while_it_waits(story: Story) -> None:
    """Before the corrections arrive, each published row is one of the clean world, apart from the
    values that the truth names as wrong and acceptable until corrected."""
    [label] = [r for r in story.truth if r["dirt"] == "sum_off"]
    for product in ("silver.settlement", "silver.order_event", "silver.trade", "silver.login",
                    "silver.position", "silver.member_fund"):  # fmt: skip
        clean = story.clean.published[product]
        wrong = {k: r for k, r in story.spoiled.published[product].items() if clean.get(k) != r}
        if product != "silver.settlement":  # the wrong sum stands here; it blocks what must tie
            assert not wrong
            continue
        assert {(r["interval"], r["contract_id"]) for r in wrong.values()} == {
            (label["interval"], key) for key in label["keys"]
        }


def test_everything_resumes_and_equals_the_clean_world(story: Story) -> None:
    """After the corrections every interval is published, and readers see what they see in the
    clean world, but for rows that the truth leaves in quarantine, the file that never came, the
    client whose change was told as older, and the marts' rows of those clients and members."""
    missing = {(r["product"], r["interval"]) for r in story.told("none")}
    expected = {place for place in story.clean.states if place not in missing}
    assert set(story.mended.states) == expected
    left = {(r["product"], r["interval"]) for r in story.told("quarantine")}
    for place, row in story.mended.states.items():
        assert row.state == ("quarantine" if place in left else "published"), place
    orders = {k for r in story.told("quarantine") for k in r["keys"]
              if r["product"] == "silver.order_event"}  # fmt: skip
    events = [r for r in story.clean.published["silver.order_event"].values()
              if r["interval"] == D2.isoformat() and str(r["event_id"]) in orders]  # fmt: skip
    logins = {r["keys"][0] for r in story.truth if r["dirt"] == "unknown_login_client"}
    dated = {r["keys"][0] for r in story.truth if r["dirt"] == "back_dated"}
    may_differ = {
        "silver.order_event": ("event_id", orders),
        "silver.login": ("login_id", logins),
        "silver.client": ("client_id", dated),
        "gold.client_day": ("client_id", {e["client_id"] for e in events}),
        "gold.member_day": ("member_id", {e["member_id"] for e in events}),
    }
    for product in PRODUCTS:
        ours, clean = story.mended.published[product], story.clean.published[product]
        differs = [(ours.get(k) or clean[k]) for k in ours.keys() | clean if
                   ours.get(k) != clean.get(k)]  # fmt: skip
        if product == "silver.quote_request":
            assert {(product, r["interval"]) for r in differs} == missing
        elif product in may_differ:
            column, values = may_differ[product]
            assert {str(r[column]) for r in differs} == values, product
            assert {r["interval"] for r in differs} <= {D2.isoformat(), "all"}
        else:
            assert not differs, product
