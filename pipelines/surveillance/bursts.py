"""Bursts of messages: how often ten or more of them fell within one second.

"Within one second" is read as a window that slides, not as a second of the clock: a burst is a
window of one second, from one message to just before the same moment a second later, that holds
the rule's number of messages or more. A day's figure is the greatest number of such windows that
do not overlap. Taking the earliest each time gives it, as for any intervals of one length.
"""

from __future__ import annotations

SECOND = 1_000_000
"""The window's length in microseconds, the precision of the exchange's times."""


def starts_sql(times: str, least: str) -> str:
    """SQL of the windows' first moments (array of microseconds) in a sorted array of times.

    ``times`` must be a column, not an expression: it is read once per message.
    """
    busy = f"filter({times}, (x, i) -> get({times}, i + {least} - 1) - x < {SECOND})"
    begin = "named_struct('starts', CAST(array() AS ARRAY<BIGINT>), 'free', 0L)"
    step = (
        f"if(x >= a.free, named_struct('starts', concat(a.starts, array(x)), 'free', x + {SECOND}),"
        " a)"
    )
    return f"aggregate({busy}, {begin}, (a, x) -> {step}, a -> a.starts)"


def count_sql(times: str, least: str) -> str:
    """SQL of how many windows there are, as BIGINT (see ``starts_sql``)."""
    busy = f"filter({times}, (x, i) -> get({times}, i + {least} - 1) - x < {SECOND})"
    begin = "named_struct('n', 0L, 'free', 0L)"
    step = f"if(x >= a.free, named_struct('n', a.n + 1L, 'free', x + {SECOND}), a)"
    return f"aggregate({busy}, {begin}, (a, x) -> {step}, a -> a.n)"
