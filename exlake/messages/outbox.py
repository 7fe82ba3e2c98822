"""The outbox: messages are queued in the ledger, then sent, then marked as sent.

A kill between sending and marking sends once more, under the same id; nothing else is ever told
twice. What cannot be sent stays queued for the next pass, and a pass never breaks a run.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from exlake.messages import texts
from exlake.messages.changes import BAD, Place, Standing, grouped, told, untold
from exlake.messages.channels import BEIJING, Send, channels, quiet, said
from exlake.steward.board import board_of
from pipelines.engine.faults import reach
from pipelines.engine.ledgers import MESSAGE, period_of
from pipelines.engine.locks import lock_path, locked
from pipelines.engine.rows import MessageRow
from quality.board import Board

if TYPE_CHECKING:
    from pipelines.engine.run import Lake

log = logging.getLogger("exlake.messages")
GIVE_UP = timedelta(days=3)
"""A message that could not be sent for so long is old news: it is dropped, and the ledger says."""
WAIT_SECONDS = 5.0


def tell_changes(lake: Lake, intervals: Iterable[str], now: datetime | None = None) -> None:
    """Tell what changed in the months of these intervals (and of what was told as bad before)."""
    _pass(lake, now or datetime.now(UTC), tuple(intervals), watch=False)


def tell_watch(lake: Lake, late: Iterable[Place], now: datetime | None = None) -> None:
    """Tell changes and what is late by the calendar; queue the day's digest when it is due."""
    moment = now or datetime.now(UTC)
    _pass(lake, moment, (), watch=True, late=tuple(late))


def _pass(
    lake: Lake,
    now: datetime,
    intervals: Sequence[str],
    *,
    watch: bool,
    late: Sequence[Place] = (),
) -> None:
    """One pass over the outbox. Whatever goes wrong is logged: messages never break a run."""
    try:
        with locked(lock_path(lake.settings.locks, "messages"), wait_seconds=WAIT_SECONDS):
            rows = lake.ledgers.read(MESSAGE)
            queued = _queue(lake, rows, now, intervals, watch, late)
            _send(lake, [*rows, *queued], now)
    except Exception as error:
        log.warning("messages could not be told: %s", said(error, lake.settings))


def _queue(
    lake: Lake,
    rows: Sequence[MessageRow],
    now: datetime,
    intervals: Sequence[str],
    watch: bool,
    late: Sequence[Place],
) -> list[MessageRow]:
    last = told(rows)
    open_ended = {period_of(c.interval) for c in last.values() if c.state in BAD}
    periods = {period_of(i) for i in intervals} | open_ended
    found = lake.ledgers.latest_intervals(periods=None if watch else periods)
    states = [Standing(r.product, r.interval, r.state, r.waiting_on) for r in found]
    states += [Standing(product, interval, "late") for product, interval in late]
    groups = grouped(untold(states, last))
    day = _digest_day(lake, rows, now) if watch else None
    if not groups and day is None:
        return []
    board = board_of(lake, now)
    bodies = [
        MessageRow(
            texts.message_id(g), g.kind, "", "queued", now, *texts.text_of(g, board), g.changes
        )
        for g in groups
    ]
    if day is not None:
        bodies.append(_digest(board, day, [r.interval for r in found if r.readable], now))
    queued = [replace(m, channel=name) for m in bodies for name in channels(lake.settings)]
    lake.ledgers.append((MESSAGE, queued))
    reach("messages-queued")
    return queued


def _digest_day(lake: Lake, rows: Iterable[MessageRow], now: datetime) -> str | None:
    """The trade date whose digest is due and was not queued yet."""
    here = now.astimezone(BEIJING)
    due = lake.settings.messages_digest
    if not due or here.time() < time.fromisoformat(due) or not _trades(lake, here.date()):
        return None
    day = here.date().isoformat()
    known = any(r.message_id == _digest_id(day) for r in rows)
    return None if known else day


def _trades(lake: Lake, day: date) -> bool:
    calendar = lake.calendar
    return calendar.first_day <= day <= calendar.last_day and calendar.is_trade_date(day)


def _digest_id(day: str) -> str:
    return f"digest-{day}"


def _digest(board: Board, day: str, published: Sequence[str], now: datetime) -> MessageRow:
    text = texts.digest_of(board, day, sum(i == day for i in published))
    return MessageRow(_digest_id(day), "digest", "", "queued", now, *text)


def _send(lake: Lake, rows: Iterable[MessageRow], now: datetime) -> None:
    """Send what is queued and not sent, channel by channel; a channel that fails rests."""
    waiting: dict[Place, MessageRow] = {}
    failures: Counter[Place] = Counter()
    for row in rows:
        place = (row.channel, row.message_id)
        if row.event == "queued":
            waiting[place] = row
        elif row.event == "failed":
            failures[place] += 1
        elif row.event in ("sent", "dropped"):
            waiting.pop(place, None)
    ways = channels(lake.settings)
    silent = quiet(lake.settings.messages_quiet, now)
    broken: set[str] = set()
    # What failed goes last: one message that no server takes must not hold up the others.
    for place in sorted(waiting, key=lambda p: failures[p]):
        row, channel = waiting[place], place[0]
        if channel in broken or channel not in ways or (silent and channel != "log"):
            continue
        done = _one(lake, ways[channel], row, now)
        lake.ledgers.append((MESSAGE, [done]))
        if done.event == "failed":
            broken.add(channel)


def _one(lake: Lake, send: Send, row: MessageRow, now: datetime) -> MessageRow:
    mark = replace(row, at=now, subject="", body="", changes=())
    if now - row.at > GIVE_UP:
        return replace(mark, event="dropped", error=f"not sent within {GIVE_UP.days} days")
    try:
        send(row)
    except Exception as error:
        text = said(error, lake.settings)
        log.warning("message %s by %s failed, tried again later: %s", row.message_id, row.channel,
                    text)  # fmt: skip
        return replace(mark, event="failed", error=text)
    reach("message-sent")
    return replace(mark, event="sent")
