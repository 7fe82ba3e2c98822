"""The only module that imports Great Expectations: run a compiled suite on one frame.

Ephemeral context, no analytics, no progress bars, no request to anywhere. One context and one
frame per call, under a lock: Great Expectations keeps its current context in a global.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

EngineName = Literal["pandas", "spark"]

_ONE_AT_A_TIME = threading.Lock()
# Counts and nothing else: on Spark 8 jobs instead of 33, and no values in any log.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Stock:
    """One stock expectation to run; ``kwargs`` are all explicit."""

    rule_id: str
    type: str
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Counted:
    """What a run says of one expectation: ``failing`` is None when it could not be evaluated."""

    failing: int | None
    checked: int
    error: str | None = None


def warm() -> None:
    """Import Great Expectations ahead of need: seconds that can pass while a JVM starts."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations.expectations  # noqa: F401


def run_suite(
    frame: pd.DataFrame | DataFrame,
    engine: EngineName,
    expectations: Sequence[Stock],
    name: str = "suite",
) -> dict[str, Counted]:
    """Judge a frame; one answer per rule id, whatever Great Expectations did with it.

    An expectation that raised, is unknown, or did not come back is an answer with an error.
    """
    if not expectations:
        return {}
    with _ONE_AT_A_TIME:
        return _run(frame, engine, expectations, name)


def _run(
    frame: Any, engine: EngineName, expectations: Sequence[Stock], name: str
) -> dict[str, Counted]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.expectations.registry import get_expectation_impl

    found: dict[str, Counted] = {}
    built = []
    for e in expectations:
        try:
            built.append(get_expectation_impl(e.type)(**e.kwargs, meta={"rule_id": e.rule_id}))
        except Exception as problem:
            found[e.rule_id] = Counted(None, 0, short(problem))
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            # Without this every context leaves a temporary folder for documents behind.
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    if engine == "pandas":
        source = context.data_sources.add_pandas("batch")
    else:
        # The default persists every frame and nothing ever unpersists it.
        source = context.data_sources.add_spark("batch", persist=False)
    batch = (
        source.add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame})
    )
    try:
        with warnings.catch_warnings():
            # pandas wonders whether a pattern's groups were meant to be extracted.
            warnings.filterwarnings("ignore", message="This pattern is interpreted as")
            outcome = batch.validate(
                ExpectationSuite(name=name.replace(".", "_"), expectations=built),
                result_format=_RESULT_FORMAT,
            )
    except Exception as problem:
        return {e.rule_id: Counted(None, 0, short(problem)) for e in expectations}
    for result in outcome.results:
        found[result.expectation_config.meta["rule_id"]] = _counted(result)
    lost = Counted(None, 0, "Great Expectations returned no result for the rule")
    return {e.rule_id: found.get(e.rule_id, lost) for e in expectations}


def _counted(result: Any) -> Counted:
    raised = _raised(result.exception_info)
    body = result.result or {}
    if raised is not None:
        return Counted(None, 0, raised)
    if "element_count" not in body:
        return Counted(None, 0, "Great Expectations returned no counts")
    checked = int(body["element_count"] or 0)
    failing = body.get("unexpected_count")
    if failing is None:
        # An empty frame has no count; anything else without one was not evaluated.
        return Counted(0, 0) if checked == 0 else Counted(None, checked, "no count of failures")
    return Counted(int(failing), checked)


def _raised(info: Any) -> str | None:
    """The message of an exception: its information is flat or keyed by metric."""
    if not info:
        return None
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return short(entry.get("exception_message") or "exception without a message")
    return None


def short(problem: object) -> str:
    """An exception's message on one line, cut to what a report can show."""
    return " ".join(str(problem).split())[:300]
