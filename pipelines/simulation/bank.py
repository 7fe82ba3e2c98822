"""Clients' own money: what is paid in and out through the banks, and each client's funds.

Client money is kept apart from the members' clearing accounts (``member_fund``): a member's
deposits are its own, a client's come from its bank. Amounts are in 0.01 CNY.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Book
from pipelines.simulation.clearing_files import Funds
from pipelines.simulation.clock import HOUR, SECOND, day_offset
from pipelines.simulation.groups import ControlGroup
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT
from pipelines.simulation.people import People

_YUAN: Final = 100
_STEP: Final = 10_000 * _YUAN
_BASE: Final = tuple(n * _STEP for n in (5, 200, 500, 300, 1_000))
"""What a client of each type brings beside its margin (assumption)."""
SHARED_FROM: Final = 0.35
"""Fund movers of at least this strength pay through one account; weaker ones each through
their own, so that only amounts and times tell."""
_OPENS, _CLOSES = 8 * HOUR + HOUR // 2, 15 * HOUR
_CHANCE: Final = {"CONTROL": 0.4, "FAMILY": 0.25, "FUND_MANAGER": 0.25, "OFFICE_NAT": 0.2}
"""Share of dates on which a set of clients moves money (assumption)."""


@dataclass(frozen=True)
class BankTransfers:
    """Payments of a date in time order; ``account`` numbers the bank account on the other side,
    ``flow`` the ``FundFlow`` a payment belongs to, or -1."""

    time: NDArray[np.int64]
    client: NDArray[np.int32]
    incoming: NDArray[np.bool_]
    amount: NDArray[np.int64]
    account: NDArray[np.int32]
    flow: NDArray[np.int32]


@dataclass(frozen=True)
class FundFlow:
    """Payments that a set of clients made together: a control group's, or a look-alike's."""

    group: ControlGroup
    shared: bool


@dataclass
class _Slips:
    """Payments as they are drawn, column by column."""

    columns: list[tuple[NDArray[Any], ...]] = field(default_factory=list)

    def add(
        self, client: Any, incoming: bool, amount: Any, time: Any, account: Any, flow: int = -1
    ) -> None:
        who = np.atleast_1d(np.asarray(client, np.int32))
        rows = len(who)
        kept = np.broadcast_to(np.asarray(amount, np.int64), rows) > 0
        whole = (
            who,
            np.full(rows, incoming),
            np.broadcast_to(np.asarray(amount, np.int64), rows),
            np.broadcast_to(np.asarray(time, np.int64), rows),
            np.broadcast_to(np.asarray(account, np.int32), rows),
            np.full(rows, flow, np.int32),
        )
        self.columns.append(tuple(column[kept] for column in whole))

    def total(self, clients: int, *, incoming: bool) -> NDArray[np.int64]:
        out = np.zeros(clients, np.int64)
        for who, into, amount, *_ in self.columns:
            np.add.at(out, who[into == incoming], amount[into == incoming])
        return out

    def sorted(self) -> BankTransfers:
        joined = [np.concatenate(column) for column in zip(*self.columns, strict=True)]
        client, incoming, amount, time, account, flow = joined
        line = np.lexsort((amount, client, time))
        return BankTransfers(
            time=time[line],
            client=client[line],
            incoming=incoming[line],
            amount=amount[line],
            account=account[line],
            flow=flow[line],
        )


def bank_accounts(people: People) -> NDArray[np.int32]:
    """Return the bank account each client pays through: its own (one a person), that of a fund
    mover's group, or a family's."""
    account = people.person.astype(np.int32)
    for group in (*people.groups, *people.lookalikes):
        moved = "FUNDS" in group.ties and group.strength >= SHARED_FROM
        if moved or group.kind == "FAMILY":
            account[list(group.clients)] = account[group.clients[0]]
    return account


def client_money(
    rng: np.random.Generator,
    board: Board,
    people: People,
    positions: Book,
    message_fee: NDArray[np.int64],
    prev_balance: NDArray[np.int64] | None,
    prev_margin: NDArray[np.int64] | None,
) -> tuple[Funds, BankTransfers, tuple[FundFlow, ...]]:
    """Return each client's funds, the payments that explain them, and who moved money together.

    On the first day the balances are declared: 1.6 times the margin plus a base by client type.
    Later a client short of margin tops up, some pay in or take out what is free, a new client
    brings its first money, and who ends the day short is called and pays the same afternoon.
    """
    clients, today = people.clients, board.trade_date.toordinal()
    who = positions.account // ACCOUNTS_PER_CLIENT

    def total(values: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.zeros(clients, np.int64)
        np.add.at(out, who, values)
        return out

    margin = total(positions.margin)
    base = np.array(_BASE, np.int64)[people.client_type]
    present = people.opened <= today
    account = bank_accounts(people)
    slips = _Slips()
    if prev_balance is None or prev_margin is None:
        prev = np.where(present, margin * 16 // 10 // _STEP * _STEP + base, 0)
        prev_margin = margin
    else:
        prev = prev_balance
    _ordinary(rng, board, people, prev, prev_margin, base, account, slips)
    flows = _together(rng, board, people, prev - prev_margin, account, slips)
    funds = Funds(
        prev=prev,
        deposit=slips.total(clients, incoming=True),
        withdrawal=slips.total(clients, incoming=False),
        close_profit=total(positions.close_profit),
        holding_profit=total(positions.holding_profit),
        fee=total(positions.fee),
        message_fee=message_fee,
        delivery_payment=total(positions.delivery_payment),
        margin=margin,
    )
    short = np.maximum(margin - funds.balance, 0)
    called = np.where(short > 0, -(-(short + margin // 20) // _STEP) * _STEP, 0)
    closing = day_offset(board.trade_date) + _CLOSES
    late = closing + rng.integers(0, 1_800, clients) * SECOND
    slips.add(np.arange(clients), True, called, late, account)
    paid = slips.sorted()
    funds = Funds(**{**vars(funds), "deposit": funds.deposit + called})
    return funds, paid, tuple(flows)


def _ordinary(
    rng: np.random.Generator,
    board: Board,
    people: People,
    prev: NDArray[np.int64],
    prev_margin: NDArray[np.int64],
    base: NDArray[np.int64],
    account: NDArray[np.int32],
    slips: _Slips,
) -> None:
    clients, today = people.clients, board.trade_date.toordinal()
    free = prev - prev_margin
    known = people.opened < today
    time = _moments(rng, board, clients)
    short = known & (free < prev_margin * 15 // 100)
    missing = np.maximum(prev_margin * 40 // 100 - free, 0)
    missing = -(-missing // _STEP) * _STEP
    slips.add(np.arange(clients), True, np.where(short, missing, 0), time, account)
    size = np.exp(rng.normal(0.0, 1.0, clients)) * base / 10
    chance = rng.random(clients)
    some = (size // (100 * _YUAN)).astype(np.int64) * 100 * _YUAN
    into = known & ~short & (chance < 0.015)
    slips.add(np.arange(clients), True, np.where(into, some, 0), time, account)
    spare = np.maximum(free - prev_margin * 30 // 100, 0) * 3 // 10
    out = known & ~short & (chance > 0.98)
    taken = np.minimum(some, spare // (100 * _YUAN) * 100 * _YUAN)
    slips.add(np.arange(clients), False, np.where(out, taken, 0), time, account)
    first = people.opened == today
    slips.add(np.arange(clients), True, np.where(first, base, 0), time, account)


def _together(
    rng: np.random.Generator,
    board: Board,
    people: People,
    free: NDArray[np.int64],
    account: NDArray[np.int32],
    slips: _Slips,
) -> list[FundFlow]:
    """Money that goes from one account of a fund mover to another, and what only looks so."""
    flows: list[FundFlow] = []
    groups = [g for g in people.groups if "FUNDS" in g.ties]
    groups += [g for g in people.lookalikes if g.kind in _CHANCE]
    noon = day_offset(board.trade_date) + 12 * HOUR
    for group in groups:
        if rng.random() > _CHANCE[group.kind]:
            continue
        clients = np.array(group.clients)
        clients = clients[people.opened[clients] < board.trade_date.toordinal()]
        if len(clients) < 2:
            continue
        at = int(_moments(rng, board, 1)[0])
        number = len(flows)
        if group.kind == "CONTROL":
            giver = int(clients[np.argmax(free[clients])])
            taker = int(rng.choice(clients[clients != giver]))
            amount = _hundreds(max(int(free[giver]), 0) * float(rng.uniform(0.1, 0.4)))
            if amount < 1_000 * _YUAN:
                continue
            kept = _hundreds(amount * (1 - 0.15 * (1 - group.strength) * float(rng.random())))
            lag = 60 + int((1 - group.strength) * 5_400 * rng.random())
            slips.add(giver, False, amount, at, account[giver], number)
            slips.add(taker, True, kept, at + lag * SECOND, account[taker], number)
            flows.append(FundFlow(group, group.strength >= SHARED_FROM))
        elif group.kind == "FAMILY":  # a household pays one of its own accounts
            one = int(rng.choice(clients))
            slips.add(one, True, _hundreds(float(rng.uniform(1, 8)) * _STEP), at, account[one],
                      number)  # fmt: skip
            flows.append(FundFlow(group, True))
        elif group.kind == "FUND_MANAGER":  # subscriptions reach every fund in the same hour
            time = at + rng.integers(0, 1_800, len(clients)) * SECOND
            amount = _hundreds(float(rng.uniform(20, 90)) * _STEP)
            slips.add(clients, True, amount, time, account[clients], number)
            flows.append(FundFlow(group, False))
        else:  # colleagues pay in during the same lunch break, each as they like
            some = clients[: max(2, len(clients) // 2)]
            time = noon + rng.integers(0, 3_600, len(some)) * SECOND
            amounts = rng.integers(10, 400, len(some)) * 100 * _YUAN
            slips.add(some, True, amounts, time, account[some], number)
            flows.append(FundFlow(group, False))
    return flows


def flow_records(
    people: People, paid: BankTransfers, flows: tuple[FundFlow, ...]
) -> list[dict[str, Any]]:
    """Return the truth about payments made together, with the delivered transfer ids."""
    return [
        {
            "kind": "fund_flow",
            "group_id": flow.group.group_id,
            "class": flow.group.kind,
            "clients": sorted({str(people.client_id[c]) for c in paid.client[rows]}),
            "transfer_ids": [int(r) + 1 for r in rows],
            "shared_account": flow.shared,
            "strength": flow.group.strength,
        }
        for number, flow in enumerate(flows)
        for rows in [np.flatnonzero(paid.flow == number)]
    ]


def _moments(rng: np.random.Generator, board: Board, count: int) -> NDArray[np.int64]:
    """Moments within the banks' hours (08:30 to 15:00, an hour kept for what follows)."""
    seconds = rng.integers(0, (_CLOSES - _OPENS) // SECOND - 5_600, count)
    return day_offset(board.trade_date) + _OPENS + seconds * SECOND


def _hundreds(cents: float) -> int:
    return int(cents) // (100 * _YUAN) * 100 * _YUAN
