"""The simulated exchange, day by day: the entry point of the simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.rule_book import RuleBook, load_rule_book
from pipelines.engine.calendar import TradingCalendar
from pipelines.simulation.bank import client_money, flow_records
from pipelines.simulation.bank_files import bank_deliveries
from pipelines.simulation.board import Board, make_board
from pipelines.simulation.cases import staged_records, threshold_records
from pipelines.simulation.clearing import Book, clear, make_legs, margin_rates, settlement_prices
from pipelines.simulation.clearing_files import clearing_deliveries, member_funds
from pipelines.simulation.copies import draw_copies
from pipelines.simulation.deliveries import Outgoing
from pipelines.simulation.dirty import check_dirty, deliver_pending, soil
from pipelines.simulation.exempt_flow import exempt_records, stage_exempt
from pipelines.simulation.file_format import check_file_format, in_format
from pipelines.simulation.flow import Activity, activity, draw_orders
from pipelines.simulation.holdings import Held
from pipelines.simulation.limit_lock import (
    Lock,
    draw_forced,
    forced_records,
    lock_orders,
    lock_streak,
    staged_lock,
)
from pipelines.simulation.market import MarketDay, run_market
from pipelines.simulation.market_data import RealPrices, load_real_prices
from pipelines.simulation.message_fees import bill_messages
from pipelines.simulation.morning import by_contract, day_prices, morning
from pipelines.simulation.news import write_news
from pipelines.simulation.opening import opening_stock
from pipelines.simulation.orders import join
from pipelines.simulation.patterns import stage
from pipelines.simulation.people import People, draw_people
from pipelines.simulation.prices import Path as PricePath
from pipelines.simulation.public_files import member_lots, public_deliveries, ranks_before
from pipelines.simulation.quote_requests import draw_quote_requests, quote_request_delivery
from pipelines.simulation.rates import plan_day
from pipelines.simulation.receipt_files import warehouse_deliveries
from pipelines.simulation.receipts import move_stock, opening_receipts, receipts_of
from pipelines.simulation.reference_files import contact_version, reference_deliveries
from pipelines.simulation.scale import Scale, scale_named
from pipelines.simulation.scene import Case, Scene
from pipelines.simulation.seeds import stream
from pipelines.simulation.state import WorldState, state_before
from pipelines.simulation.tick_files import tick_delivery
from pipelines.simulation.trading_files import trading_deliveries
from pipelines.simulation.transfers import draw_transfers
from pipelines.simulation.truth import group_records, write_truth


@dataclass(frozen=True)
class SimulatedDay:
    """What one trade date came to; ``seconds`` is wall time."""

    trade_date: date
    order_events: int
    trades: int
    volume_lots: int
    position_rows: int
    files: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class SimulationSummary:
    """What one call of ``simulate`` wrote."""

    seed: int
    scale: str
    days: tuple[SimulatedDay, ...]

    @property
    def files(self) -> int:
        """Number of delivery files, manifests not counted."""
        return sum(day.files for day in self.days)


Progress = Callable[[SimulatedDay], None]


def simulate(
    home_inbox: Path,
    dates: Sequence[date],
    seed: int,
    scale: str,
    *,
    market_data: Path | None = None,
    dirty: float | str | None = None,
    file_format: str = "csv",
    on_progress: Progress | None = None,
) -> SimulationSummary:
    """Simulate trade dates and write their deliveries into the inbox.

    ``home_inbox`` is ``<home>/inbox`` (or the home itself); the world's memory goes to
    ``<home>/simulation`` and the truth to ``<home>/truth``. ``dates`` are trade dates (Beijing)
    that follow one another; the first begins a new world unless the home already holds the
    trade date before it. The same seed, scale and dates give the same bytes, in one call or
    several. ``dirty`` spoils deliveries: a rate from 0 to 1, or "demo" for a modest fixed set on
    the second and third date. ``market_data`` is a folder of real prices to trade inside (see
    ``market_data``). ``file_format`` "parquet" delivers the tables as Parquet instead of CSV.
    Raises WorldMismatchError, UnknownScaleError, UnknownDirtError, UnknownFileFormatError,
    MarketDataError, DateOutsideCalendarError,
    RuleBookInvalidError.
    """
    home = home_inbox.parent if home_inbox.name == "inbox" else home_inbox
    size = scale_named(scale)
    calendar = TradingCalendar.default()
    real = None if market_data is None else load_real_prices(market_data)
    book = load_rule_book()
    check_dirty(dirty)
    check_file_format(file_format)
    days = []
    for day in sorted(dates):
        began = perf_counter()
        state = state_before(home / "simulation", day, calendar.previous(day), seed, scale)
        made = _simulate_day(seed, size, day, state, real, book)
        number = len(calendar.between(made.state.start, day))
        sent, dirt = soil(stream(seed, day, "dirt"), made.deliveries, day, number, dirty)
        sent, dirt = in_format(sent, dirt, file_format)
        made.state.save(home / "simulation")
        pending = home / "simulation" / "pending"
        for delivery in sent:  # what arrives later waits outside the inbox
            delivery.write(pending if delivery.arrives else home / "inbox")
        arrived = deliver_pending(pending, home / "inbox", day)
        write_truth(home / "truth", day, [*made.truth, *dirt])
        summary = SimulatedDay(
            trade_date=day,
            order_events=made.order_events,
            trades=made.trades,
            volume_lots=made.volume_lots,
            position_rows=made.position_rows,
            files=sum(d.arrives is None for d in sent) + arrived,
            bytes=sum(len(d.data) for d in sent),
            seconds=perf_counter() - began,
        )
        days.append(summary)
        if on_progress is not None:
            on_progress(summary)
    return SimulationSummary(seed, scale, tuple(days))


@dataclass(frozen=True)
class _Made:
    deliveries: list[Outgoing]
    truth: list[dict[str, Any]]
    state: WorldState
    order_events: int
    trades: int
    volume_lots: int
    position_rows: int


def _simulate_day(
    seed: int,
    scale: Scale,
    day: date,
    state: WorldState | None,
    real: RealPrices | None,
    book: RuleBook,
) -> _Made:
    start = state.start if state is not None else day
    first = state is None
    count = len(make_board(day, {}).commodities)
    people = draw_people(seed, scale, count, start)
    board, held, known = morning(seed, scale, day, people, state)
    number = len(TradingCalendar.default().between(start, day))
    lock = None if real else staged_lock(seed, number)
    paths, profiles = day_prices(seed, board, real, lock)
    busy = replace(activity(board), profiles=profiles)
    market, staged, exempt = _trade(seed, scale, board, people, start, held, paths, busy, lock)
    settle = settlement_prices(board, market.stats)
    legs = make_legs(board, market)
    streak = lock_streak(board, market.stats, {} if state is None else state.streaks)
    margins = margin_rates(board, streak)
    positions = clear(board, held, legs, settle, margins, people.clients)
    moved = draw_transfers(stream(seed, day, "transfers"), board, people, positions)
    if len(moved.lots):
        positions = clear(board, held, legs, settle, margins, people.clients, moved)
    forced = draw_forced(stream(seed, day, "forced"), board, people, positions, streak)
    if len(forced.lots):
        positions = clear(board, held, legs, settle, margins, people.clients, moved, forced)
    interest = _open_interest(board, positions)
    asked = draw_quote_requests(stream(seed, day, "quotes"), board, market, busy, people)
    bill = bill_messages(board, market, asked, people, book)
    messages, message_fee = bill.by_client(people.clients)
    funds = member_funds(
        positions,
        people,
        message_fee,
        None if state is None else state.member_balance,
        None if state is None else state.member_margin,
    )
    money, paid, flows = client_money(
        stream(seed, day, "bank"),
        board,
        people,
        positions,
        message_fee,
        None if state is None else state.client_balance,
        None if state is None else state.client_margin,
    )
    contact = np.zeros(people.clients, np.int32) if state is None else state.contact_version
    contact, changed = contact_version(seed, day, people, contact, first_day=first)
    before = ranks_before(board, people, held, state)
    now = member_lots(board, legs, positions, people)
    stock_before = opening_stock(seed, start, scale) if state is None else state.stock
    receipts = (
        opening_receipts(stream(seed, None, "receipts"), board, people, stock_before)
        if state is None
        else receipts_of(state.receipts)
    )
    depot = move_stock(
        stream(seed, day, "stock"), board, people, positions, receipts, stock_before,
        len(receipts) + 1 if state is None else state.next_receipt,
    )  # fmt: skip
    news = write_news(
        stream(seed, day, "news"),
        board,
        _moves(board, settle),
        (depot.stock - stock_before).sum(axis=(1, 2)),
        scale.name,
    )
    deliveries = [
        *reference_deliveries(board, people, start, known, contact, changed),
        *trading_deliveries(stream(seed, day, "terminals"), board, market, legs, people),
        *clearing_deliveries(
            board, market, positions, funds, settle, margins, interest, people, first_day=first
        ),
        *public_deliveries(
            board, market, settle, interest, now, before, people, depot.stock, stock_before
        ),
        tick_delivery(stream(seed, day, "ticks"), board, market),
        news.delivery,
        quote_request_delivery(board, asked, people),
        *bank_deliveries(board, paid, money, messages, people, first_day=first),
        *warehouse_deliveries(board, depot, people),
    ]
    rank_contract, rank_member, rank_lots = now.compact()
    ids = np.array(board.contract_id)
    kept = positions.lots > 0
    after = WorldState(
        seed=seed,
        scale=scale.name,
        start=start,
        trade_date=day,
        contract_id=ids,
        settle=settle,
        close=np.where(market.stats[:, 4] > 0, market.stats[:, 0], board.prev_close),
        open_interest=interest,
        position_contract=ids[positions.contract[kept]],
        position_account=positions.account[kept],
        position_side=positions.side[kept],
        position_lots=positions.lots[kept],
        member_balance=funds.balance,
        member_margin=funds.margin,
        rank_contract=ids[rank_contract],
        rank_member=rank_member.astype(np.int32),
        rank_lots=rank_lots,
        stock=depot.stock,
        contact_version=contact,
        lock_streak=streak,
        client_balance=money.balance,
        client_margin=money.margin,
        receipts=depot.remembered(),
        next_receipt=depot.next_number,
    )
    truth = [
        *(group_records(people) if first else []),
        *staged_records(board, market, people, staged),
        *threshold_records(board, market, people, staged, positions),
        *exempt_records(board, market, people, exempt),
        *bill.records(board, people),
        *forced_records(board, people, forced, streak),
        *flow_records(people, paid, flows),
        *news.truth,
    ]
    return _Made(
        deliveries,
        truth,
        after,
        order_events=len(market.events.time),
        trades=len(market.trades.time),
        volume_lots=int(market.trades.lots.sum()),
        position_rows=len(positions.lots),
    )


def _trade(
    seed: int,
    scale: Scale,
    board: Board,
    people: People,
    start: date,
    held: Held,
    paths: tuple[PricePath, ...],
    busy: Activity,
    lock: Lock | None,
) -> tuple[MarketDay, tuple[Case, ...], tuple[Case, ...]]:
    """Draw the day's order flow and match it; the unsorted flow is gone when this returns.

    Also returns the staged cases of misconduct and the staged exempt flow.
    """
    day = board.trade_date
    ordinary = draw_orders(stream(seed, day, "orders"), board, people, scale, day, busy, held)
    copies = draw_copies(stream(seed, day, "copies"), board, people, ordinary, busy)
    number = len(TradingCalendar.default().between(start, day))

    def scene(label: int, strength: float) -> Scene:
        return Scene(
            rng=stream(seed, day, f"case-{label}"),
            board=board,
            people=people,
            busy=busy,
            mean_orders=busy.share * scale.orders,
            label=label,
            strength=strength,
        )

    staged = stage(plan_day(seed, day, number, scale.name), scene)
    exempt = stage_exempt(scale.name, number, scene)
    made = (batch for case in (*staged, *exempt) for batch in case.orders)
    flow = join([ordinary, *copies, *made])
    flow = lock_orders(stream(seed, day, "limit-lock"), board, flow, lock)
    market = run_market(board, flow, paths, busy, people.owner, by_contract(held))
    return market, staged, exempt


def _open_interest(board: Board, positions: Book) -> NDArray[np.int64]:
    interest = np.zeros(len(board), np.int64)
    np.add.at(interest, positions.contract, np.where(positions.side == 0, positions.lots, 0))
    return interest


def _moves(board: Board, settle: NDArray[np.int64]) -> NDArray[np.float64]:
    moves = np.zeros(len(board.commodities))
    for index, commodity in enumerate(board.commodities):
        rows = np.flatnonzero(board.commodity == index)
        main = rows[min(commodity.front_peak, len(rows) - 1)]
        moves[index] = settle[main] / board.prev_settle[main] - 1.0
    return moves
