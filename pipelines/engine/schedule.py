"""Take products' turns as soon as what they read had its own, some side by side.

Waiting for whole levels instead would leave cores idle at the end of each one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def take_turns(
    waits: Mapping[str, frozenset[str]],
    weigh: Callable[[str, bool], int],
    turn: Callable[[str], T],
    done: Callable[[str, T], None],
    slots: int,
    stopping: Callable[[], bool],
) -> None:
    """Take every product's turn, in order, once those in ``waits[product]`` had theirs.

    ``weigh(product, alone)``: how many of ``slots`` it takes (all, if more); 0 when there is
    nothing to build; ``alone`` tells that no turn is at work. What takes more than are free waits,
    and all after it, so that nothing large is overtaken for ever. ``weigh`` and ``done`` are called
    in this thread, ``turn`` in others but for weight 0. Once ``stopping``, no turn begins. What a
    turn raises is raised when those at work have ended.
    """
    waiting = dict(waits)
    running: dict[Future[T], tuple[str, int]] = {}
    finished: set[str] = set()

    def end(product: str, result: T) -> None:
        done(product, result)
        finished.add(product)

    with ThreadPoolExecutor(max_workers=slots) as pool:
        while waiting or running:
            ready = next((p for p, above in waiting.items() if above <= finished), None)
            if ready is not None and stopping():
                waiting.clear()
                continue
            weight = None if ready is None else min(weigh(ready, not running), slots)
            free = slots - sum(taken for _, taken in running.values())
            if ready is not None and weight is not None and (weight <= free or not running):
                del waiting[ready]
                if weight:
                    running[pool.submit(turn, ready)] = (ready, weight)
                else:
                    end(ready, turn(ready))
                continue
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                product, _ = running.pop(future)
                end(product, future.result())
