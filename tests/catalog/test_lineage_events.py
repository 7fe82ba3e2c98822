"""OpenLineage events: valid by the standard's own schemas, and true to the ledgers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from catalog_cases import DAY1, DAY2, TinyLake

from catalog.column_sources import ColumnSource, column_sources
from catalog.lineage import CURSOR, batches_of, bring_up_to_date, events_of
from contracts.load import load_catalogue
from pipelines.engine.discovery import discover
from pipelines.engine.ledgers import INTERVAL, RESULT, RUN
from pipelines.engine.rows import IntervalRow, Pin, ResultRow, RunRow

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def interval(day: str, state: str = "published", **more: Any) -> IntervalRow:
    """A ledger row of gold.client_day."""
    return IntervalRow(
        product="gold.client_day",
        interval=day,
        state=state,  # type: ignore[arg-type]
        run_id="run-1",
        batch_id="run-1-b",
        job_version=1,
        schema_fingerprint="s",
        contract_version="1.0.0",
        rules_fingerprint="r",
        decisions_fingerprint="d",
        committed_at=START + timedelta(seconds=20),
        fingerprint="f",
        delta_version=4,
        built=3,
        accepted=3,
        inputs=(Pin("silver.trade", day, "f1", 7), Pin("silver.client", "as_of", "f2", 3)),
        **more,
    )


def result(day: str, outcome: str = "passed", rule: str = "client_day.key.unique") -> ResultRow:
    """A rule's outcome in the ledger."""
    return ResultRow(
        run_id="run-1",
        batch_id="run-1-b",
        product="gold.client_day",
        interval=day,
        rule_id=rule,
        rule_fingerprint="x",
        kind="unique",
        dimension="uniqueness",
        severity="error",
        scope="built",
        outcome=outcome,
        contract_version="1.0.0",
        job_version=1,
        judged_at=START,
        failing=0 if outcome == "passed" else 2,
        checked=3,
        expected="0",
        actual="2",
    )


def events(lake: TinyLake, *rows: IntervalRow, **more: Any) -> list[dict[str, Any]]:
    """Events of one batch."""
    results = [result(DAY1), result(DAY2, "failed"), result(DAY1, "not_applicable", "other.rule")]
    columns = {"gold.client_day": {"traded_lots": [ColumnSource("silver.trade", "lots")]}}
    [batch] = batches_of(rows, results)
    return list(events_of(batch, lake.catalogue, lake.settings.home.as_uri(), START, columns))


def test_events_follow_the_ledgers(lake: TinyLake) -> None:
    """Inputs with versions, output with rows, one assertion per evaluated rule, same run id."""
    found = events(lake, interval(DAY1), interval(DAY2), interval("2026-01-07", "held"))
    done = found[-1]
    assert [e["eventType"] for e in found] == ["START", "START", "COMPLETE", "COMPLETE"]
    assert found[0]["run"]["runId"] == done["run"]["runId"] != found[1]["run"]["runId"]
    assert [(d["name"], d["facets"]["version"]["datasetVersion"]) for d in done["inputs"]] == [
        ("silver.client", "3"),
        ("silver.trade", "7"),
    ]
    [output] = done["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 6
    assert output["facets"]["version"]["datasetVersion"] == "4"
    assert output["facets"]["columnLineage"]["fields"]["traded_lots"]["inputFields"] == [
        {"namespace": "exlake", "name": "silver.trade", "field": "lots"}
    ]
    [said] = found[2]["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (said["name"], said["success"]) == ("client_day.key.unique", False)
    assert (said["params"]["failing"], said["params"]["failed_intervals"]) == (2, [DAY2])
    assert json.dumps(found, sort_keys=True) == json.dumps(
        events(lake, interval(DAY1), interval(DAY2)), sort_keys=True
    )


def test_a_batch_that_publishes_nothing_fails_with_its_reasons(lake: TinyLake) -> None:
    """A blocked batch is FAIL, names why, and claims no output."""
    done = events(lake, interval(DAY1, "blocked", reasons=("volume differs by 3 lots",)))[-1]
    assert (done["eventType"], done["outputs"]) == ("FAIL", [])
    assert done["run"]["facets"]["errorMessage"]["message"] == "volume differs by 3 lots"


def test_every_event_has_the_shape_of_the_standard(lake: TinyLake) -> None:
    """The structural part of the standard, held also where its schemas are not at hand."""
    for event in events(lake, interval(DAY1)) + events(lake, interval(DAY1, "blocked")):
        assert {"eventTime", "producer", "schemaURL", "run", "job", "eventType"} <= set(event)
        assert event["producer"].startswith("urn:")
        for dataset in (*event["inputs"], *event["outputs"]):
            assert {"namespace", "name"} <= set(dataset)
        for facet in facets_of(event).values():
            assert {"_producer", "_schemaURL"} <= set(facet)


def test_events_are_valid_by_the_standards_schemas(lake: TinyLake) -> None:
    """Every event and every standard facet validates against OpenLineage's own schemas."""
    shared = Path(os.environ.get("EXLAKE_SHARED", ROOT.parent / "shared"))
    folder = shared / "schemas" / "openlineage"
    if not folder.is_dir():
        pytest.skip("no OpenLineage schemas beside the repository (EXLAKE_SHARED)")
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    schemas = [
        json.loads(f.read_text()) for f in [folder / "OpenLineage.json", *folder.glob("facets/*")]
    ]
    registry: Any = Registry().with_resources(
        [(s["$id"], Resource.from_contents(s)) for s in schemas]
    )
    known = {s["$id"] for s in schemas}
    for event in events(lake, interval(DAY1)) + events(lake, interval(DAY1, "blocked")):
        Draft202012Validator(
            {"$ref": event["schemaURL"]},
            registry=registry,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        ).validate(event)
        for name, facet in facets_of(event).items():
            if name.startswith("exlake_"):
                continue
            url = facet["_schemaURL"].split("#")[0]
            assert url in known, name
            Draft202012Validator({"$ref": url}, registry=registry).validate({name: facet})


def facets_of(event: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All facets of an event by name."""
    found = {**event["run"]["facets"], **event["job"]["facets"]}
    for dataset in (*event["inputs"], *event["outputs"]):
        for group in ("facets", "inputFacets", "outputFacets"):
            found |= dataset.get(group, {})
    return found


def test_every_batch_is_told_once(lake: TinyLake) -> None:
    """Batches come from the ledgers, not from a run: a killed run's too, and none a second time.

    Killed while it writes (a line torn), or before it noted how far it came.
    """
    run = RunRow("run-1", "succeeded", "run", START, dates=f"{DAY1}..{DAY2}", seconds=5.0)
    lake.ledgers.append((RESULT, [result(DAY1)]), (INTERVAL, [interval(DAY1)]), (RUN, [run]))
    path = lake.settings.ops / "openlineage.jsonl"
    assert bring_up_to_date(lake.settings, lake.catalogue) == 4
    assert bring_up_to_date(lake.settings, lake.catalogue) == 0
    noted = (path.parent / CURSOR).read_text()
    later = replace(interval(DAY2), run_id="run-2", batch_id="run-2-b")
    lake.ledgers.append((INTERVAL, [later]))
    whole = path.read_text()
    assert bring_up_to_date(lake.settings, lake.catalogue) == 4
    told = path.read_text().splitlines()
    (path.parent / CURSOR).write_text(noted)
    assert bring_up_to_date(lake.settings, lake.catalogue) == 0
    (path.parent / CURSOR).write_text(noted)
    path.write_text(whole + told[4] + "\n" + told[5][:40])
    assert bring_up_to_date(lake.settings, lake.catalogue) == 3
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in (*lines[:5], *lines[6:])] == [json.loads(x) for x in told]


def test_declared_column_sources_are_true() -> None:
    """Every declared column exists, and its origin is an input that the job declares."""
    catalogue, jobs = load_catalogue(), discover()
    for product, columns in column_sources().items():
        inputs = {read.product for read in jobs[product].inputs}
        assert {c.name for c in catalogue[product].columns} >= set(columns), product
        for column, origins in columns.items():
            for origin in origins:
                assert origin.product in inputs, (product, column, origin)
                assert origin.column in {c.name for c in catalogue[origin.product].columns}, origin
