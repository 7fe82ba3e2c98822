"""Deliveries of the clearing system: settlement, positions and member funds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clearing import MARGIN_SCALE, Book, Margins
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    hundredths,
    table,
    table_delivery,
    text,
    whole,
)
from pipelines.simulation.market import MarketDay
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT, HEDGE_FLAGS
from pipelines.simulation.people import People

POSITION_SIDES = ("L", "S")
_MILLION_CENTS = 100_000_000


@dataclass(frozen=True)
class Funds:
    """Funds of a date in 0.01 CNY, by member or client index; ``fee`` is that of trades."""

    prev: NDArray[np.int64]
    deposit: NDArray[np.int64]
    withdrawal: NDArray[np.int64]
    close_profit: NDArray[np.int64]
    holding_profit: NDArray[np.int64]
    fee: NDArray[np.int64]
    message_fee: NDArray[np.int64]
    delivery_payment: NDArray[np.int64]
    margin: NDArray[np.int64]

    @property
    def balance(self) -> NDArray[np.int64]:
        """What each has at the end of the date."""
        charged = self.fee + self.message_fee
        gained = self.close_profit + self.holding_profit - charged + self.delivery_payment
        return self.prev + self.deposit - self.withdrawal + gained


def member_funds(
    positions: Book,
    people: People,
    message_fee: NDArray[np.int64],
    prev_balance: NDArray[np.int64] | None,
    prev_margin: NDArray[np.int64] | None,
) -> Funds:
    """Return each member's funds; ``message_fee`` is each client's, charged through its member.

    On the first day the balances are declared: 1.4 times the margin plus five million yuan.
    Later a member whose free funds fell below 15 % of yesterday's margin deposits up to 40 %,
    and one with more than 90 % withdraws down to 60 %, in whole ten thousands.
    """
    members = len(people.members)
    member = people.member[positions.account // ACCOUNTS_PER_CLIENT]

    def total(values: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.zeros(members, np.int64)
        np.add.at(out, member, values)
        return out

    margin = total(positions.margin)
    zero = np.zeros(members, np.int64)
    messages = zero.copy()
    np.add.at(messages, people.member, message_fee)
    deposit, withdrawal = zero, zero
    if prev_balance is None or prev_margin is None:
        prev = (margin * 14 // 10 // 1_000_000) * 1_000_000 + 5 * _MILLION_CENTS
    else:
        prev = prev_balance
        free, step = prev_balance - prev_margin, 1_000_000
        missing = np.maximum(prev_margin * 40 // 100 - free, 0)
        deposit = np.where(free < prev_margin * 15 // 100, missing // step * step, 0)
        spare = free - prev_margin * 60 // 100 - 10 * _MILLION_CENTS
        rich = (free > prev_margin * 90 // 100) & (spare > 0)
        withdrawal = np.where(rich, spare // step * step, 0)
    funds = Funds(
        prev=prev,
        deposit=deposit,
        withdrawal=withdrawal,
        close_profit=total(positions.close_profit),
        holding_profit=total(positions.holding_profit),
        fee=total(positions.fee),
        message_fee=messages,
        delivery_payment=total(positions.delivery_payment),
        margin=margin,
    )
    short = np.maximum(margin - funds.balance, 0)
    called = np.where(short > 0, -(-(short + margin // 20) // 1_000_000) * 1_000_000, 0)
    return replace(funds, deposit=deposit + called)


def settlement_table(
    board: Board,
    day: MarketDay,
    settle: NDArray[np.int64],
    margins: Margins,
    open_interest: NDArray[np.int64],
) -> pa.Table:
    """Return one row per contract; prices of the day are empty when nothing traded."""
    stats, tick, rows = day.stats, board.hundredths, len(board)
    idle = stats[:, 4] == 0
    return table(
        {
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "exchange": pa.array([c.exchange for c in board.contracts]),
            "contract_id": pa.array(board.contract_id),
            "commodity_id": pa.array([c.commodity_id for c in board.contracts]),
            "prev_settlement_price": hundredths(board.prev_settle * tick),
            "open_price": hundredths(stats[:, 1] * tick, idle),
            "high_price": hundredths(stats[:, 2] * tick, idle),
            "low_price": hundredths(stats[:, 3] * tick, idle),
            "close_price": hundredths(stats[:, 0] * tick, idle),
            "settlement_price": hundredths(settle * tick),
            "upper_limit_price": hundredths(board.high * tick),
            "lower_limit_price": hundredths(board.low * tick),
            "volume_lots": whole(stats[:, 4]),
            "turnover": hundredths(stats[:, 5] * board.cents),
            "open_interest_lots": whole(open_interest),
            "prev_open_interest_lots": whole(board.prev_open_interest),
            "spec_margin_rate": _rate(margins.spec),
            "hedge_margin_rate": _rate(margins.hedge),
        }
    )


def position_table(board: Board, positions: Book, people: People, *, first_day: bool) -> pa.Table:
    """Return the positions of the date, those that ended at zero today included."""
    client = positions.account // ACCOUNTS_PER_CLIENT
    rows = len(client)
    line = np.lexsort((positions.side, positions.account % 4, positions.contract, client))
    members = [m.member_id for m in people.members]
    columns = {
        "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
        "exchange": text([c.exchange for c in board.contracts], positions.contract[line]),
        "contract_id": text(board.contract_id, positions.contract[line]),
        "member_id": text(members, people.member[client[line]]),
        "client_id": text(people.client_id, client[line]),
        "hedge_flag": text(HEDGE_FLAGS, positions.account[line] % ACCOUNTS_PER_CLIENT),
        "position_side": text(POSITION_SIDES, positions.side[line]),
        "prev_lots": whole(positions.prev[line]),
        "open_lots": whole(positions.opened[line]),
        "close_lots": whole(positions.closed[line]),
    }
    left = ("transfer_in_lots", "transfer_out_lots", "delivery_lots", "expiry_lots", "forced_lots")
    for number, name in enumerate(left):
        columns[name] = whole(positions.leaving[line, number])
    columns["lots"] = whole(positions.lots[line])
    for name in ("margin", "close_profit", "holding_profit", "fee"):
        columns[name] = hundredths(getattr(positions, name)[line])
    columns["opening_declared"] = whole(np.full(rows, int(first_day)))
    return table(columns)


def member_fund_table(board: Board, funds: Funds, people: People, *, first_day: bool) -> pa.Table:
    """Return one row per member."""
    rows = len(people.members)
    return table(
        {
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "member_id": pa.array([m.member_id for m in people.members]),
            "prev_balance": hundredths(funds.prev),
            "deposit": hundredths(funds.deposit),
            "withdrawal": hundredths(funds.withdrawal),
            "close_profit": hundredths(funds.close_profit),
            "holding_profit": hundredths(funds.holding_profit),
            "fee": hundredths(funds.fee),
            "message_fee": hundredths(funds.message_fee),
            "delivery_payment": hundredths(funds.delivery_payment),
            "balance": hundredths(funds.balance),
            "margin": hundredths(funds.margin),
            "available": hundredths(funds.balance - funds.margin),
            "opening_declared": whole(np.full(rows, int(first_day))),
        }
    )


def clearing_deliveries(
    board: Board,
    day: MarketDay,
    positions: Book,
    funds: Funds,
    settle: NDArray[np.int64],
    margins: Margins,
    open_interest: NDArray[np.int64],
    people: People,
    *,
    first_day: bool,
) -> list[Outgoing]:
    """Return the clearing system's three files of the date."""
    at = board.trade_date
    prices = settlement_table(board, day, settle, margins, open_interest)
    held = position_table(board, positions, people, first_day=first_day)
    money = member_fund_table(board, funds, people, first_day=first_day)
    return [
        table_delivery("clearing", "settlement", at, prices, "15:50"),
        table_delivery("clearing", "position", at, held, "16:05"),
        table_delivery("clearing", "member_fund", at, money, "16:10"),
    ]


def _rate(millionths: NDArray[np.int64]) -> pa.Array:
    return pa.array([f"{value / MARGIN_SCALE:.4f}" for value in millionths])
