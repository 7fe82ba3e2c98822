"""Defects that the real files are known to have, each with the rule that finds it.

``stated`` is what the description beside the files counts; None where it counts nothing, words
where it counts a part. A ``bronze`` product's rule is the code of the error a file is refused with.
"""

from __future__ import annotations

from dataclasses import dataclass

TICKS_2022, TICKS_2019 = "2022-02-18", "2019-06-10"


@dataclass(frozen=True)
class Defect:
    """A defect of a source, and the rule that finds it.

    ``stated``: rows known beforehand, by whoever described the files; None where nobody had.
    ``instead``: what became of the rows where their severity alone does not say it.
    ``interval``: how the only ones that are counted begin; None: all.
    """

    what: str
    product: str
    rule: str
    stated: int | str | None
    instead: str = ""
    interval: str | None = None


DEFECTS = (
    # --- the exchange's daily files
    Defect("contracts without a trade: open, high and low are blank, the close is not (2014)",
           "silver.quote_daily", "volume.traded", 36, "null, published, counted", "2014-01-06"),
    Defect("subtotals that are not the sum of their contracts (2014)",
           "silver.quote_daily", "subtotal", 0, interval="2014-01-06"),
    Defect("totals of rankings (RANK 999) that are not the sum of their places (2014)",
           "silver.member_rank_daily", "total", 0, interval="2014-01-06"),
    # --- ticks and minute bars
    Defect("a snapshot with every price 0, on connection (2022)",
           "silver.market_tick", "snapshot.empty", 9, interval=TICKS_2022),
    Defect("the tick behind it is older (2022)",
           "silver.market_tick", "order", 9, "published, marked: both are true records",
           TICKS_2022),
    Defect("received more than 60 s after the event (2022)",
           "silver.market_tick", "received.late", 212, interval=TICKS_2022),
    Defect("received some 3,000 s after the event (2022)",
           "silver.market_tick", "received.stale", 3, "quarantined: sent again, not live",
           TICKS_2022),
    Defect("a contract's first row carries the whole day's volume (2022)",
           "silver.market_tick", "volume.first", "every contract", interval=TICKS_2022),
    Defect("no bid or no ask (2022)",
           "silver.market_tick", "book.two_sided", 47, interval=TICKS_2022),
    Defect("limits and references of 0 beside a last price (2022)",
           "silver.market_tick", "prices.limit", None, interval=TICKS_2022),
    Defect("a last price outside the day's range so far (2022)",
           "silver.market_tick", "last.ranged", None, interval=TICKS_2022),
    Defect("identical rows (2022)",
           "silver.market_tick", "duplicate", 0, interval=TICKS_2022),
    Defect("crossed books (2022)",
           "silver.market_tick", "book.crossed", 0, interval=TICKS_2022),
    Defect("prices off tick (2022)",
           "silver.market_tick", "prices.tick", 0, interval=TICKS_2022),
    Defect("cumulative volume that falls (2022)",
           "silver.market_tick", "cum_volume.falls", 0, interval=TICKS_2022),
    Defect("a volume that is not the change of cumulative volume (2022)",
           "silver.market_tick", "volume.difference", 0, interval=TICKS_2022),
    Defect("another recorder's six contracts that differ (2022)",
           "silver.market_tick", "second_recorder", 0, interval=TICKS_2022),
    Defect("the mark for no value, 1.797693e+308, in open, high and low (2019)",
           "silver.market_tick", "prices.no_value", 2, "the prices are null, published, marked",
           TICKS_2019),
    Defect("rows identical to an earlier one (2019: 4,690 and 1,492)",
           "silver.market_tick", "duplicate", 6_182,
           "published, marked: the recorder kept whole seconds", TICKS_2019),
    Defect("snapshots before and after the hours (2019: 07:17:32 and 15:14:30)",
           "silver.market_tick", "session", 4, interval=TICKS_2019),
    Defect("cumulative volume that falls (2019)",
           "silver.market_tick", "cum_volume.falls", 0, interval=TICKS_2019),
    Defect("an odd count where both sides were counted, or text that cannot be read (2019)",
           "silver.market_tick", "parsed", 0, interval=TICKS_2019),
    Defect("recordings without quotes (2019)",
           "silver.market_tick", "book.two_sided", None, interval=TICKS_2019),
    Defect("ticks without a date in name or rows (2017)",
           "bronze.market_tick", "delivery-date", 1),
    Defect("open interest and turnover in six-digit scientific notation (2017)",
           "silver.market_tick", "figures.rounded", 122,
           "the file has no date; with a manifest that gives one: published, marked `ROUNDED`",
           "2017"),
    Defect("minutes without a trade (CU 1,414, NI 2,618)",
           "silver.bar_minute", "traded", 4_032),
    Defect("a bar's turnover that is not volume at prices of the bar (CU 23, NI 3)",
           "silver.bar_minute", "turnover.priced", None),
    # --- daily histories
    Defect("settlement price 0, that is missing, in a continuous history",
           "silver.quote_continuous", "settlement_price.given", "5,881 and few elsewhere",
           "null, published, marked"),
    Defect("days without volume (815 of fuel oil alone: the contract was dead)",
           "silver.quote_continuous", "volume.traded", "815 of FU"),
    Defect("high and low that do not contain open and close",
           "silver.quote_continuous", "prices.ordered", 32),
    Defect("a series that stops before the others (EC)",
           "silver.quote_continuous", "series.ends", 1),
    Defect("two bars of one series and date",
           "silver.quote_continuous", "key.unique", 0),
    Defect("open interest of SC on its first day a hundred times too large",
           "gold.source_disagreement", "size", 1, "the exchange's figure is published, both kept"),
    Defect("bars of days on which the exchange was closed",
           "silver.quote_continuous", "trade_date.traded", None),
    Defect("an odd volume where both sides were counted",
           "silver.quote_continuous", "parsed", None),
    Defect("a close that moved by more than a quarter: first days, expiring and EC contracts",
           "gold.market_history", "return.possible", None),
    Defect("contracts without volume in a list of all contracts",
           "silver.quote_listing", "volume.traded", 25, interval="2026-01-29"),
    Defect("a contract twice in that list",
           "silver.quote_listing", "key.unique", 0, interval="2026-01-29"),
    Defect("a month's array shorter than the list of dates",
           "silver.month_close", "series.aligned", 7, "the series quarantined whole, as one row"),
    Defect("contracts of two years under one month: which one is shown cannot be told",
           "silver.month_close", "contract.known", None, "published without a contract"),
    # --- members, receipts, basis
    Defect("a blank long position: not among the twenty, not zero",
           "silver.member_position_daily", "long_lots.ranked", 3_391, "null, published, counted"),
    Defect("a blank short position: not among the twenty, not zero",
           "silver.member_position_daily", "short_lots.ranked", 1_901, "null, published, counted"),
    Defect("members on neither list that are named all the same",
           "silver.member_position_daily", "side.given", None),
    Defect("a member twice for one contract and date",
           "silver.member_position_daily", "key.unique", 0),
    Defect("sums over rankings: a contract twice on a date",
           "silver.member_total_daily", "key.unique", 0),
    Defect("Dubai: a monthly value repeated by day",
           "silver.basis_daily", "dubai.daily", None),
    Defect("a change of receipts that is not the difference",
           "silver.receipt_total_daily", "change.adds", 0),
    Defect("a vendor's receipts that differ from the exchange's total",
           "silver.receipt_total_daily", "sources.agree", 0),
    # --- reference
    Defect("continuous series among contracts, with dates 0000-00-00 (list of 2019)",
           "silver.contract", "id.form", 48),
    Defect("commodities without trading hours (list of 2025: ad, ao, br, ec, op)",
           "silver.session", "commodities.listed", 5, "published without hours"),
    Defect("a multiplier that is not the commodity's as it is known (list of 2019)",
           "silver.contract", "terms.agree", None),
    Defect("a holiday of a front end's list that is a trade date",
           "silver.calendar", "holiday.closed", 0),
    Defect("a trade date on a weekend",
           "silver.calendar", "weekend.closed", 0),
    Defect("a calendar date twice",
           "silver.calendar", "key.unique", 0),
)  # fmt: skip
"""In the order of the description beside the files."""
