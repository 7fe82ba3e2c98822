"""Slowly changing dimensions: from delivered changes to bitemporal chains.

A chain tells, per key, which version was valid on which business dates
(``valid_from``/``valid_to``) and since when that is known (``known_from``/
``known_to``). What is known depends on the deliveries' own dates and sequences,
never on a clock, so any order of arrival ends in the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

CHAIN_COLUMNS = ("valid_from", "valid_to", "is_current", "known_from", "known_to")
LINEAGE_COLUMNS = ("_delivery_id", "_row_number", "_unparsed")


@dataclass(frozen=True)
class ChangedRange:
    """Business dates ``first`` (inclusive) to ``until`` (exclusive; None: open)."""

    first: date
    until: date | None

    def holds(self, day: date) -> bool:
        """Whether the as-of view of ``day`` may have changed."""
        return self.first <= day and (self.until is None or day < self.until)


def chains(
    changes: DataFrame, *, key: Sequence[str], attributes: Sequence[str], usable: str = "true"
) -> DataFrame:
    """Build the bitemporal chain of every key from its change rows.

    ``changes`` has the key and attribute columns, ``change_type`` (A, U or D), ``valid_from``
    (date), ``_interval`` (date: when the change became known), ``_sequence`` and
    ``_row_number`` (order within that date) and the lineage columns. Ends of periods are
    exclusive, null while open. ``is_current`` marks the last version as currently known.

    - Of several changes of one key, ``valid_from`` and known date the last delivered counts.
    - A change that says what is known already makes no row.
    - ``D`` ends the version before it; a later ``A`` or ``U`` begins a new one after the gap.
    - A change known late splits or replaces versions from the day it is known on; what was
      known before stays readable by its ``known_from``/``known_to``.
    - A change for which the SQL boolean ``usable`` does not hold (or without key, date or known
      kind) enters no chain: the version before it continues. It is returned alone with an empty
      known period, so that the gate can quarantine it and no as-of reader ever sees it.
    """
    keys = ", ".join(key)
    values = ", ".join(attributes)
    lineage = ", ".join(LINEAGE_COLUMNS)
    sound = " AND ".join(
        [f"{name} IS NOT NULL" for name in (*key, "valid_from")]
        + ["change_type IN ('A', 'U', 'D')", f"({usable})"]
    )
    # Rules may hold braces, which the SQL text below could not.
    judged = changes.withColumn("sound", F.expr(f"coalesce({sound}, false)"))
    return changes.sparkSession.sql(
        f"""
        WITH ranked AS (
          SELECT *, row_number() OVER (
            PARTITION BY {keys}, valid_from, _interval ORDER BY _sequence DESC, _row_number DESC
          ) AS place
          FROM {{judged}} WHERE sound
        ), stated AS (
          SELECT *, if(change_type = 'D', NULL, struct({values})) AS content
          FROM ranked WHERE place = 1
        ), compared AS (
          SELECT *,
            row_number() OVER same_start = 1
              OR NOT (lag(content) OVER same_start <=> content) AS says_something,
            min(_interval) OVER (PARTITION BY {keys}, valid_from) AS first_known
          FROM stated
          WINDOW same_start AS (PARTITION BY {keys}, valid_from ORDER BY _interval)
        ), told AS (
          SELECT *,
            lead(_interval) OVER (
              PARTITION BY {keys}, valid_from ORDER BY _interval) AS replaced_on,
            collect_set(struct(first_known, valid_from)) OVER (PARTITION BY {keys}) AS starts
          FROM compared WHERE says_something
        ), steps AS (
          SELECT {keys}, {values}, valid_from, _interval, replaced_on, {lineage},
            explode(concat(
              array(struct(_interval AS known_from, CAST(NULL AS DATE) AS ends)),
              transform(
                filter(starts, s -> s.valid_from > told.valid_from
                  AND (replaced_on IS NULL OR s.first_known < replaced_on)),
                s -> struct(greatest(s.first_known, _interval) AS known_from,
                            s.valid_from AS ends))
            )) AS step
          FROM told WHERE change_type <> 'D'
        ), ended AS (
          SELECT *, step.known_from AS known_from,
            min(step.ends) OVER (
              PARTITION BY {keys}, valid_from, _interval ORDER BY step.known_from) AS valid_to
          FROM steps
        ), narrowed AS (
          SELECT *,
            row_number() OVER (PARTITION BY {keys}, valid_from, _interval
                               ORDER BY known_from) = 1
              OR NOT (lag(valid_to) OVER (PARTITION BY {keys}, valid_from, _interval
                                          ORDER BY known_from) <=> valid_to) AS differs
          FROM ended
        ), chained AS (
          SELECT {keys}, {values}, valid_from, valid_to, known_from,
            coalesce(
              lead(known_from) OVER (PARTITION BY {keys}, valid_from, _interval
                                     ORDER BY known_from),
              replaced_on) AS known_to,
            {lineage}
          FROM narrowed WHERE differs
        )
        SELECT {keys}, {values}, valid_from, valid_to,
          valid_to IS NULL AND known_to IS NULL AS is_current,
          known_from, known_to, {lineage}
        FROM chained
        UNION ALL
        SELECT {keys}, {values}, valid_from, CAST(NULL AS DATE), false, _interval, _interval,
          {lineage}
        FROM {{judged}} WHERE NOT sound
        """,
        judged=judged,
    )


def changed_range(
    old: DataFrame, new: DataFrame, *, key: Sequence[str], attributes: Sequence[str]
) -> ChangedRange | None:
    """The business dates whose as-of view differs between two states of a dimension.

    Only what is currently known counts (``known_to`` null), and of that only the attributes:
    flags, knowledge dates and the end dates of open rows change no view by themselves. Returns
    None when every date reads the same. One Spark job.
    """
    keys = ", ".join(key)
    values = ", ".join(attributes)
    marks = " UNION ALL ".join(
        f"""
        SELECT {keys}, '{side}' AS side, valid_from AS at,
          struct(true AS present, struct({values}) AS content) AS mark
        FROM {{{side}}} WHERE known_to IS NULL
        UNION ALL
        SELECT {keys}, '{side}', valid_to,
          struct(false AS present, if(true, NULL, struct({values})) AS content)
        FROM {{{side}}} WHERE known_to IS NULL AND valid_to IS NOT NULL
        """
        for side in ("old", "new")
    )
    row = old.sparkSession.sql(
        f"""
        WITH marks AS ({marks}), turns AS (
          SELECT {keys}, at, max(mark) FILTER (WHERE side = 'old') AS old_mark,
            max(mark) FILTER (WHERE side = 'new') AS new_mark
          FROM marks GROUP BY {keys}, at
        ), filled AS (
          SELECT at, lead(at) OVER line AS until,
            last_value(old_mark) IGNORE NULLS OVER line AS old_mark,
            last_value(new_mark) IGNORE NULLS OVER line AS new_mark
          FROM turns WINDOW line AS (PARTITION BY {keys} ORDER BY at)
        )
        SELECT min(at) AS first, max(until) AS until,
          coalesce(bool_or(until IS NULL), false) AS endless
        FROM filled WHERE NOT (old_mark.content <=> new_mark.content)
        """,
        old=old,
        new=new,
    ).collect()[0]
    if row["first"] is None:
        return None
    return ChangedRange(row["first"], None if row["endless"] else row["until"])
