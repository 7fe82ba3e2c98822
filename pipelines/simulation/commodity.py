"""Commodities of SHFE and INE: specifications as effective-dated data."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Commodity:
    """One commodity as specified from ``valid_from`` on (sources: data/SOURCES.md).

    Prices are counted in ticks, money in cents (0.01 CNY): ``lot_tick_cents`` is the value of
    one tick of one lot, ``tick_hundredths`` is one tick in 0.01 of the quoted unit. Rates are
    counted in millionths (margin) and ten-millionths (fee) so that all sums are integer.
    """

    commodity_id: str
    exchange: str
    name_zh: str
    name_en: str
    category: str
    multiplier: Decimal
    quote_unit: str
    tick_size: Decimal
    price_limit_rate: Decimal
    spec_margin_rate: Decimal
    hedge_margin_rate: Decimal
    fee_rate: Decimal
    fee_per_lot: Decimal
    close_today_fee_factor: Decimal
    night_session_end: str
    delivery_unit_lots: int
    position_limit_general: int
    intraday_open_limit: int | None
    listing_rule: str
    last_trade_rule: str
    stock_unit: str
    stock_per_lot: int
    product_sort: int
    valid_from: date
    reference_price: Decimal
    daily_volatility: float
    activity: float
    opening_stock: int
    front_peak: int

    @property
    def lot_tick_cents(self) -> int:
        """Value of one tick of one lot in 0.01 CNY."""
        return int(self.tick_size * self.multiplier * 100)

    @property
    def tick_hundredths(self) -> int:
        """One tick in hundredths of the quoted unit."""
        return int(self.tick_size * 100)

    @property
    def name_spaced(self) -> str:
        """The Chinese and English name as the stock file writes them."""
        return f"{self.name_zh}$${self.name_en.upper()}"


def commodities_on(day: date) -> tuple[Commodity, ...]:
    """Return every commodity as specified on ``day``, in the files' fixed order."""
    current: dict[str, Commodity] = {}
    for row in _all_rows():
        if row.valid_from <= day or row.commodity_id not in current:
            current[row.commodity_id] = row
    return tuple(current.values())


def changed_on(day: date) -> tuple[Commodity, ...]:
    """Return the specifications that begin to hold exactly on ``day``."""
    return tuple(row for row in _all_rows() if row.valid_from == day)


@cache
def _all_rows() -> tuple[Commodity, ...]:
    with (DATA / "market.csv").open(encoding="utf-8", newline="") as handle:
        market = {row["commodity_id"]: row for row in csv.DictReader(handle)}
    with (DATA / "commodities.csv").open(encoding="utf-8", newline="") as handle:
        rows = [_parse(row, market[row["commodity_id"]]) for row in csv.DictReader(handle)]
    return tuple(sorted(rows, key=lambda row: row.valid_from))


def _parse(row: dict[str, str], market: dict[str, str]) -> Commodity:
    return Commodity(
        commodity_id=row["commodity_id"],
        exchange=row["exchange"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        category=row["category"],
        multiplier=Decimal(row["multiplier"]),
        quote_unit=row["quote_unit"],
        tick_size=Decimal(row["tick_size"]),
        price_limit_rate=Decimal(row["price_limit_rate"]),
        spec_margin_rate=Decimal(row["spec_margin_rate"]),
        hedge_margin_rate=Decimal(row["hedge_margin_rate"]),
        fee_rate=Decimal(row["fee_rate"]),
        fee_per_lot=Decimal(row["fee_per_lot"]),
        close_today_fee_factor=Decimal(row["close_today_fee_factor"]),
        night_session_end=row["night_session_end"],
        delivery_unit_lots=int(row["delivery_unit_lots"]),
        position_limit_general=int(row["position_limit_general"]),
        intraday_open_limit=int(row["intraday_open_limit"]) if row["intraday_open_limit"] else None,
        listing_rule=row["listing_rule"],
        last_trade_rule=row["last_trade_rule"],
        stock_unit=row["stock_unit"],
        stock_per_lot=int(row["stock_per_lot"]),
        product_sort=int(row["product_sort"]),
        valid_from=date.fromisoformat(row["valid_from"]),
        reference_price=Decimal(market["settlement_20251231"]),
        daily_volatility=float(market["daily_volatility"]),
        activity=float(market["activity"]),
        opening_stock=int(market["opening_stock"]),
        front_peak=int(market["front_peak"]),
    )
