"""Every tag of every member on each trade date, with its place among peers and its trend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from contracts.tag_catalogue import load_tags
from pipelines.engine.job import Inputs, as_of, job, previous, same
from pipelines.members.figures import backs_frame, figures_sql, frame_of, gathered_frames, hand_over
from pipelines.members.tags import PAST, TAGS_DIGEST, check_released, tag_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@job(
    "gold.member_tag",
    version=1,
    inputs=(
        same("gold.client_day"),
        same("gold.member_day"),
        previous("gold.member_day", 20),
        same("silver.trade"),
        same("silver.position"),
        same("silver.client_fund"),
        same("silver.settlement"),
        same("gold.surveillance_day"),
        same("gold.surveillance_alert"),
        same("silver.warehouse_receipt", optional=True),
        as_of("silver.member"),
        as_of("silver.client"),
        as_of("silver.control_group"),
        as_of("silver.contract"),
        previous("gold.member_tag", 20),
    ),
)
def member_tag(inputs: Inputs) -> DataFrame:
    """One row per member, date and tag with an input (``contracts/tags``).

    A value is null where its formula has nothing to divide by or its source says nothing. The
    percentile is null below the tag's minimum sample and in groups of fewer than eight.
    """
    catalogue = load_tags()
    check_released(catalogue, TAGS_DIGEST)
    past = inputs.spark.sql(PAST, earlier=inputs.read("gold.member_tag"), backs=backs_frame(inputs))
    with duckdb.connect(config={"threads": 1}) as connection:
        hand_over(inputs, connection, gathered_frames(inputs) | {"sums": past})
        connection.execute(f"CREATE TEMP TABLE figures AS {figures_sql()}")
        made = tag_rows(connection, catalogue)
    return frame_of(inputs, made)
