"""Sessions of a trade date: trading time and the clock.

The clock of a trade date counts microseconds from midnight (Beijing) of the *previous* trade
date's calendar day, so that a night session has smaller times than the day session it precedes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.engine.calendar import TradingCalendar

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
_DAY_SESSIONS: Final = ((9.0, 10.25), (10.5, 11.5), (13.5, 15.0))
_NIGHT_HOURS: Final = {"": 0.0, "23:00": 2.0, "01:00": 4.0, "02:30": 5.5}


@dataclass(frozen=True)
class Sessions:
    """The continuous-trading segments of one trade date for one night-session end."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    has_night: bool
    auction_from: int
    auction_to: int
    opens_at: int
    closes_at: int

    @property
    def trading_time(self) -> int:
        """Length of continuous trading in microseconds."""
        return int(self.lengths.sum())

    def clock(self, trading: NDArray[np.int64]) -> NDArray[np.int64]:
        """Map microseconds of trading time to the clock; beyond the end stays beyond it."""
        ends = np.cumsum(self.lengths)
        segment = np.minimum(np.searchsorted(ends, trading, side="right"), len(ends) - 1)
        return self.starts[segment] + trading - (ends - self.lengths)[segment]


def sessions(trade_date: date, night_session_end: str) -> Sessions:
    """Return the sessions of a trade date for commodities with that night-session end.

    The opening call auction takes orders for four minutes and matches one minute before the
    first session; without a night session it moves to the morning.
    """
    day_base = day_offset(trade_date)
    segments = [(int(a * HOUR) + day_base, int((b - a) * HOUR)) for a, b in _DAY_SESSIONS]
    night = _NIGHT_HOURS[night_session_end]
    has_night = night > 0 and TradingCalendar.default().has_night_session(trade_date)
    if has_night:
        segments.insert(0, (21 * HOUR, int(night * HOUR)))
    starts = np.array([start for start, _ in segments], dtype=np.int64)
    lengths = np.array([length for _, length in segments], dtype=np.int64)
    opens = int(starts[0])
    return Sessions(
        starts=starts,
        lengths=lengths,
        has_night=has_night,
        auction_from=opens - 300 * SECOND,
        auction_to=opens - 60 * SECOND,
        opens_at=opens,
        closes_at=int(starts[-1] + lengths[-1]),
    )


def day_offset(trade_date: date) -> int:
    """Microseconds on the clock at midnight of the trade date's own calendar day."""
    return (trade_date - TradingCalendar.default().previous(trade_date)).days * DAY


def epoch_of_clock(trade_date: date) -> int:
    """Microseconds since 1970-01-01 (local wall time) at clock zero."""
    return (TradingCalendar.default().previous(trade_date) - date(1970, 1, 1)).days * DAY
