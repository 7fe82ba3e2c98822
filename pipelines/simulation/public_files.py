"""The exchange's public daily files: quotes (kx), member rankings (pm), warehouse stocks.

Key names follow the newest generations seen: kx and pm of 2026-09-15, dailystock of 2022-06-01.
Volume and open interest are one-sided; a member's volume in pm counts both of its sides, so the
totals over all members are twice the volume. Turnover is in 10,000 CNY.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board
from pipelines.simulation.clearing import Book, Legs
from pipelines.simulation.deliveries import Outgoing, beijing
from pipelines.simulation.holdings import Held
from pipelines.simulation.market import MarketDay
from pipelines.simulation.names import REGIONS, warehouse_name
from pipelines.simulation.orders import ACCOUNTS_PER_CLIENT
from pipelines.simulation.people import People
from pipelines.simulation.state import WorldState

EXCHANGES: Final = ("SHFE", "INE")
_FIRMS: Final = "期货公司会员/境外特殊经纪参与者"
_OTHERS: Final = "非期货公司会员/境外特殊非经纪参与者"
_SHOWN: Final = 20


@dataclass(frozen=True)
class MemberLots:
    """Lots by contract and member: columns volume (both sides), long, short."""

    lots: NDArray[np.int64]

    def compact(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that are not all zero: contract index, member, lots."""
        contract, member = np.nonzero(self.lots.any(axis=2))
        return contract, member, self.lots[contract, member]


def member_lots(board: Board, legs: Legs, positions: Book, people: People) -> MemberLots:
    """Return each member's volume and open interest per contract."""
    lots = np.zeros((len(board), len(people.members), 3), np.int64)
    of_leg = people.member[legs.account // ACCOUNTS_PER_CLIENT]
    np.add.at(lots[:, :, 0], (legs.contract, of_leg), legs.lots)
    of_row = people.member[positions.account // ACCOUNTS_PER_CLIENT]
    side = 1 + positions.side.astype(np.int64)
    np.add.at(lots, (positions.contract, of_row, side), positions.lots)
    return MemberLots(lots)


def ranks_before(board: Board, people: People, held: Held, state: WorldState | None) -> MemberLots:
    """Return each member's lots of the trade date before, in the board's order."""
    lots = np.zeros((len(board), len(people.members), 3), np.int64)
    if state is None:  # no volume is known from before the first day
        member = people.member[held.account // 4]
        np.add.at(lots, (held.contract, member, 1 + held.side.astype(np.int64)), held.lots)
        return MemberLots(lots)
    place = {name: i for i, name in enumerate(board.contract_id)}
    at = np.array([place.get(str(c), -1) for c in state.rank_contract], np.int64)
    listed = at >= 0
    lots[at[listed], state.rank_member[listed]] = state.rank_lots[listed]
    return MemberLots(lots)


def quotes(
    board: Board, day: MarketDay, settle: NDArray[np.int64], interest: NDArray[np.int64],
    exchange: str,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the rows of the quotes file: contracts, a subtotal per commodity, a grand total."""
    rows: list[dict[str, Any]] = []
    grand = np.zeros(4, np.int64)
    change = interest - board.prev_open_interest
    turnover = day.stats[:, 5] * board.cents
    for index, commodity in enumerate(board.commodities):
        if commodity.exchange != exchange:
            continue
        name, group = commodity.name_zh, commodity.commodity_id
        total = np.zeros(4, np.int64)
        for i in np.flatnonzero(board.commodity == index):
            last, first, high, low, volume = (int(v) for v in day.stats[i, :5])
            tick = int(board.hundredths[i])
            traded = volume > 0
            known, settled = int(board.prev_settle[i]), int(settle[i])
            rows.append(
                _quote(
                    group,
                    name,
                    board.contracts[i].delivery_month[2:],
                    "1",
                    OPENINTEREST=int(interest[i]),
                    OPENINTERESTCHG=int(change[i]),
                    VOLUME=volume,
                    TURNOVER=_wan(int(turnover[i])),
                    OPENPRICE=_price(first, tick) if traded else "",
                    HIGHESTPRICE=_price(high, tick) if traded else "",
                    LOWESTPRICE=_price(low, tick) if traded else "",
                    CLOSEPRICE=_price(last, tick) if traded else "",
                    SETTLEMENTPRICE=_price(settled, tick),
                    PRESETTLEMENTPRICE=_price(known, tick),
                    ZD1_CHG=_price(last - known, tick) if traded else "",
                    ZD2_CHG=_price(settled - known, tick),
                )
            )
            total += (volume, int(turnover[i]), int(interest[i]), int(change[i]))
        rows.append(_sum_row(group, f"{group}_f", name, "小计", total))
        grand += total
        if group == "sc":  # trading at settlement: listed, never traded here
            tas = _quote("sc_tas", f"{name}TAS", rows[-2]["DELIVERYMONTH"], "6", PRODUCTID="sc_tas")
            rows.append(tas)
    rows.append(_sum_row("", "总计", "总计", "", grand))
    return rows


def rankings(
    board: Board, now: MemberLots, before: MemberLots, people: People, exchange: str
) -> list[dict[str, Any]]:
    """Return the rows of the ranking file.

    Per commodity the totals of futures firms (-1) and other members (0), then per contract the
    first twenty of each of the three lists (independent of each other) and their sum (999).
    Contracts with less than a two-hundredth of the commodity's open interest are not published.
    """
    rows: list[dict[str, Any]] = []
    change = now.lots - before.lots
    firm = np.array([m.member_type == "FF" for m in people.members])
    for index, commodity in enumerate(board.commodities):
        own = np.flatnonzero(board.commodity == index)
        total = now.lots[own].sum(axis=0)
        if commodity.exchange != exchange or not total.any():
            continue
        whole = f"{commodity.commodity_id}all"
        moved = change[own].sum(axis=0)
        for rank, label, members in ((-1, _FIRMS, firm), (0, _OTHERS, ~firm)):
            row = _rank_row(whole, commodity.name_zh, rank)
            for k in (1, 2, 3):
                row[f"PARTICIPANTID{k}"] = row[f"PARTICIPANTABBR{k}"] = label
                row[f"CJ{k}"] = int(total[members, k - 1].sum())
                row[f"CJ{k}_CHG"] = int(moved[members, k - 1].sum())
            rows.append(row)
        for i in own:
            interest = int(now.lots[i, :, 1].sum())
            if interest * 200 < int(total[:, 1].sum()) or not now.lots[i, :, 0].any():
                continue
            name = board.contracts[i].contract_id
            rows += _contract_ranks(name, commodity.name_zh, now.lots[i], change[i], people)
    return rows


def stock_rows(
    board: Board, stock: NDArray[np.int64], before: NDArray[np.int64], exchange: str
) -> list[dict[str, Any]]:
    """Return the rows of the stock file: warehouses, a subtotal per region, a total."""
    rows: list[dict[str, Any]] = []
    change = stock - before
    for index, commodity in enumerate(board.commodities):
        if commodity.exchange != exchange or not commodity.stock_unit:
            continue

        def row(place: str, region: int | None, order: int, status: str, kept: Any, moved: Any,
                known: int = index) -> dict[str, Any]:  # fmt: skip
            spec = board.commodities[known]
            return {
                "WGHTUNIT": spec.stock_unit,
                "VARSORT": spec.product_sort,
                "WHABBRNAME": place,
                "ROWSTATUS": status,
                "REGNAME": "" if region is None else "$$".join(REGIONS[region]),
                "ROWORDER": order,
                "VARNAME": spec.name_spaced,
                "WHROWS": 1 if region is None else stock.shape[2],
                "VARID": spec.commodity_id,
                "WHTYPE": "1",
                "WRTWGHTS": int(np.sum(kept)),
                "REGSORT": 999999999 if region is None else region,
                "WRTCHANGE": int(np.sum(moved)),
            }

        for region in range(stock.shape[1]):
            for store in range(stock.shape[2]):
                place = (index, region, store)
                number = (index * 10 + region) * 10 + store
                rows.append(
                    row(
                        warehouse_name(region, store),
                        region,
                        number,
                        "0",
                        stock[place],
                        change[place],
                    )
                )
            area = (index, region)
            rows.append(row("合计$$Subtotal", region, 100000, "1", stock[area], change[area]))
        rows.append(row("总计$$Total", None, 200000, "2", stock[index], change[index]))
    return rows


def public_deliveries(
    board: Board, day: MarketDay, settle: NDArray[np.int64], interest: NDArray[np.int64],
    now: MemberLots, before: MemberLots, people: People, stock: NDArray[np.int64],
    stock_before: NDArray[np.int64],
) -> list[Outgoing]:  # fmt: skip
    """Return the three public files of both exchanges, each dataset in two parts."""
    at = board.trade_date
    stamp = f"{at:%Y%m%d}"
    made: list[Outgoing] = []
    for part, exchange in enumerate(EXCHANGES, start=1):
        prefix = "" if exchange == "SHFE" else "ine_"
        kx = quotes(board, day, settle, interest, exchange)
        pm = rankings(board, now, before, people, exchange)
        kept = stock_rows(board, stock, stock_before, exchange)
        body = _reply(at, "15:28:56")
        made.append(
            _public(
                "quote_daily",
                at,
                f"{prefix}kx{stamp}.dat",
                "15:29",
                part,
                {**body, "o_curinstrument": kx},
                len(kx),
            )
        )
        made.append(
            _public(
                "member_rank_daily",
                at,
                f"{prefix}pm{stamp}.dat",
                "15:31",
                part,
                {**body, "o_cursor": pm},
                len(pm),
            )
        )
        head = {
            "o_code": "0", "o_msg": "期货仓单日报查询成功", "o_tradingday": stamp,
            "report_date": stamp, "update_date": f"{stamp} 15:45:00",
        }  # fmt: skip
        made.append(
            _public(
                "warehouse_stock_daily",
                at,
                f"{prefix}{stamp}dailystock.dat",
                "15:46",
                part,
                {**head, "o_cursor": kept},
                len(kept),
            )
        )
    return made


def _public(
    dataset: str, at: date, file: str, ready: str, part: int, content: dict[str, Any], rows: int
) -> Outgoing:
    return Outgoing(
        system="public",
        dataset=dataset,
        trade_date=at,
        file=file,
        data=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8"),
        rows=rows,
        generated_at=beijing(at, ready),
        mode="part",
        part=part,
        parts=len(EXCHANGES),
        sequence=part,
    )


def _reply(at: date, clock: str) -> dict[str, Any]:
    stamp = f"{at:%Y%m%d}"
    return {"o_code": "0000", "o_msg": "查询成功", "report_date": stamp,
            "update_date": f"{stamp} {clock}"}  # fmt: skip


_BLANK: Final = (
    "OPENINTEREST", "HIGHESTPRICE", "TURNOVER", "TASVOLUME", "PRODUCTGROUPID", "PRODUCTCLASS",
    "CLOSEPRICE", "VOLUME", "OPENINTERESTCHG", "PRODUCTID", "PRODUCTNAME", "ZD2_CHG", "OPENPRICE",
    "ZD1_CHG", "SETTLEMENTPRICE", "DELIVERYMONTH", "PRESETTLEMENTPRICE", "LOWESTPRICE",
)  # fmt: skip


def _quote(group: str, name: str, month: str, kind: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_BLANK, "")
    row.update(PRODUCTGROUPID=group, PRODUCTNAME=name, DELIVERYMONTH=month, PRODUCTCLASS=kind)
    row.update(PRODUCTID=f"{group}_f")
    row.update(values)
    return row


def _sum_row(
    group: str, product: str, name: str, month: str, total: NDArray[np.int64]
) -> dict[str, Any]:
    volume, turnover, interest, change = (int(v) for v in total)
    return _quote(
        group, name, month, "1", PRODUCTID=product, VOLUME=volume, TURNOVER=_wan(turnover),
        OPENINTEREST=interest, OPENINTERESTCHG=change,
    )  # fmt: skip


def _rank_row(instrument: str, name: str, rank: int) -> dict[str, Any]:
    row: dict[str, Any] = {"INSTRUMENTID": instrument}
    for k in (3, 2, 1):
        row[f"PARTICIPANTID{k}"] = ""
    for k in (3, 2, 1):
        row[f"PARTICIPANTABBR{k}"] = ""
    row["RANK"] = rank
    for k in (1, 2, 3):
        row[f"CJ{k}"] = ""
        row[f"CJ{k}_CHG"] = ""
    row["PRODUCTNAME"] = name
    return row


def _contract_ranks(
    instrument: str, name: str, lots: NDArray[np.int64], change: NDArray[np.int64], people: People
) -> list[dict[str, Any]]:
    lists = []
    for k in range(3):
        line = np.lexsort((np.arange(len(lots)), -lots[:, k]))[:_SHOWN]
        lists.append([int(m) for m in line if lots[m, k] > 0])
    rows = [_rank_row(instrument, name, r + 1) for r in range(max(len(x) for x in lists))]
    last = _rank_row(instrument, name, 999)
    for k, shown in enumerate(lists, start=1):
        for row, m in zip(rows, shown, strict=False):
            row[f"PARTICIPANTID{k}"] = people.members[m].member_id
            row[f"PARTICIPANTABBR{k}"] = people.members[m].short_name
            row[f"CJ{k}"] = int(lots[m, k - 1])
            row[f"CJ{k}_CHG"] = int(change[m, k - 1])
        last[f"CJ{k}"] = int(lots[shown, k - 1].sum())
        last[f"CJ{k}_CHG"] = int(change[shown, k - 1].sum())
    return [*rows, last]


def _price(ticks: int, hundredths: int) -> int | float:
    value = ticks * hundredths
    return value // 100 if value % 100 == 0 else value / 100


def _wan(cents: int) -> int | float:
    return cents // 1_000_000 if cents % 1_000_000 == 0 else cents / 1_000_000
