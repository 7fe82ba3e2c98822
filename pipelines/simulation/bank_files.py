"""Deliveries about clients' money: bank transfers and client funds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.simulation.bank import BankTransfers
from pipelines.simulation.board import Board
from pipelines.simulation.clearing_files import Funds
from pipelines.simulation.clock import epoch_of_clock
from pipelines.simulation.deliveries import (
    Outgoing,
    constant,
    hundredths,
    table,
    table_delivery,
    text,
    wall_time,
    whole,
)
from pipelines.simulation.people import People, digest

_BANKS = tuple(f"B{n:02d}" for n in range(1, 9))


def bank_transfer_table(board: Board, paid: BankTransfers, people: People) -> pa.Table:
    """Return one row per payment in time order; ids count from 1 within the date."""
    rows = len(paid.time)
    used, which = np.unique(paid.account, return_inverse=True)
    clients, own = np.unique(paid.client, return_inverse=True)
    return table(
        {
            "transfer_id": whole(np.arange(1, rows + 1)),
            "transfer_time": wall_time(paid.time, epoch_of_clock(board.trade_date)),
            "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
            "client_id": text(people.client_id, paid.client),
            "member_id": text([m.member_id for m in people.members], people.member[paid.client]),
            "bank_id": text(_BANKS, (paid.account.astype(np.int64) * 5 + 3) % len(_BANKS)),
            "account_hash": text([digest(f"margin{c}") for c in clients], own),
            "counter_account_hash": text([digest(f"bank{a}") for a in used], which),
            "direction": text(("OUT", "IN"), paid.incoming.astype(np.int8)),
            "amount": hundredths(paid.amount),
        }
    )


def client_fund_table(
    board: Board, funds: Funds, messages: NDArray[np.int64], people: People, *, first_day: bool
) -> pa.Table:
    """Return one row per client whose account is open; ``messages`` counts what it sent."""
    open_now = np.flatnonzero(people.opened <= board.trade_date.toordinal())
    rows = len(open_now)
    columns = {
        "trade_date": constant(f"{board.trade_date:%Y%m%d}", rows),
        "member_id": text([m.member_id for m in people.members], people.member[open_now]),
        "client_id": text(people.client_id, open_now),
        "prev_balance": hundredths(funds.prev[open_now]),
    }
    for name in (
        "deposit", "withdrawal", "close_profit", "holding_profit", "fee", "message_fee",
        "delivery_payment", "balance", "margin",
    ):  # fmt: skip
        columns[name] = hundredths(getattr(funds, name)[open_now])
    columns["available"] = hundredths((funds.balance - funds.margin)[open_now])
    columns["message_count"] = whole(messages[open_now])
    columns["opening_declared"] = whole(np.full(rows, int(first_day)))
    return table(columns)


def bank_deliveries(
    board: Board,
    paid: BankTransfers,
    funds: Funds,
    messages: NDArray[np.int64],
    people: People,
    *,
    first_day: bool,
) -> list[Outgoing]:
    """Return the payments and the funds of clients."""
    at = board.trade_date
    money = client_fund_table(board, funds, messages, people, first_day=first_day)
    payments = bank_transfer_table(board, paid, people)
    return [
        table_delivery("clearing", "bank_transfer", at, payments, "16:00"),
        table_delivery("clearing", "client_fund", at, money, "16:15"),
    ]
