"""Codes shared by the order flow and the order book (small integers, fit for compiled code)."""

from __future__ import annotations

from typing import Final

# Order types.
LIMIT: Final = 0
MARKET: Final = 1
FAK: Final = 2
FOK: Final = 3
# Event types.
NEW: Final = 0
FILL: Final = 1
CANCEL: Final = 2
REJECT: Final = 3
# Price styles: behind the own side's best, around the fair price, through the other side's
# best, at an absolute tick, at another order's price, as near to the fair price as the other side
# of the book allows.
PASSIVE: Final = 0
FAIR: Final = 1
AGGRESSIVE: Final = 2
ABSOLUTE: Final = 3
SAME_AS: Final = 4
TOUCH: Final = 5
# Reasons of cancels and rejects.
NONE: Final = 0
CLIENT: Final = 1
FAK_REST: Final = 2
FOK_KILL: Final = 3
SESSION_END: Final = 4
PRICE_LIMIT: Final = 5
FUNDS: Final = 6
POSITION: Final = 7
NO_MARKET: Final = 8
# What an order wants to do with the client's position.
OPEN: Final = 0
PREFER_CLOSE: Final = 1
MUST_CLOSE: Final = 2
NO_FUNDS: Final = 3
CLOSE_EITHER: Final = 4  # turns its side round when only the other side can be closed
