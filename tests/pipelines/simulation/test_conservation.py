"""What is delivered ties: orders, trades, positions, funds, settlement and public files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from delivered import days, read, records

KEY = ["client_id", "contract_id", "hedge_flag", "position_side"]


@pytest.fixture(scope="module", params=["home", "small_home"])
def world(request: pytest.FixtureRequest) -> Path:
    """Both scales keep the same promises."""
    path: Path = request.getfixturevalue(request.param)
    return path


def test_every_lot_bought_was_sold(world: Path) -> None:
    """The two legs of a trade differ in side only: same price, lots, contract and time."""
    for day in days(world):
        trade = read(world, "trade", day)
        same = ["trade_id", "trade_time", "contract_id", "price", "lots", "session"]
        buys, sells = trade[trade.side == "B"], trade[trade.side == "S"]
        pd.testing.assert_frame_equal(
            buys[same].reset_index(drop=True), sells[same].reset_index(drop=True)
        )
        assert len(buys) + len(sells) == len(trade)


def test_an_order_ends_with_nothing_left(world: Path) -> None:
    """New lots equal filled plus removed lots; the last event leaves 0; fills are the trades."""
    for day in days(world):
        events = read(world, "order_event", day)
        lots = events.pivot_table(
            index="order_id", columns="event_type", values="lots", aggfunc="sum", fill_value=0
        )
        assert (lots.NEW == lots.FILL + lots.CANCEL).all()
        assert (events.groupby("order_id").remaining_lots.last() == 0).all()
        rejected = events[events.event_type == "REJECT"]
        assert not rejected.order_id.duplicated().any()
        assert not set(rejected.order_id) & set(events[events.event_type == "NEW"].order_id)
        fills = events[events.event_type == "FILL"]
        trade = read(world, "trade", day)
        on = ["trade_id", "order_id", "client_id", "side", "offset", "price", "lots"]
        pd.testing.assert_frame_equal(
            fills[on].sort_values(["trade_id", "side"]).reset_index(drop=True),
            trade[on].sort_values(["trade_id", "side"]).reset_index(drop=True),
            check_dtype=False,
        )
        assert (events.event_id.astype(int) == range(1, len(events) + 1)).all()
        assert events.event_time.is_monotonic_increasing


def test_positions_roll_forward(world: Path) -> None:
    """lots = prev + open - close + in - out - delivery - expiry - forced, and prev is yesterday's
    lots; opened and closed lots are the trades'; both sides of a contract are equal."""
    before: dict[tuple[str, ...], int] | None = None
    for day in days(world):
        p = read(world, "position", day)
        assert not p[KEY].duplicated().any()
        change = p.open_lots - p.close_lots + p.transfer_in_lots - p.transfer_out_lots
        leaving = p.delivery_lots + p.expiry_lots + p.forced_lots
        assert (p.lots == p.prev_lots + change - leaving).all()
        assert (p.lots >= 0).all()
        held = p.set_index(KEY)
        if before is not None:
            assert {k: v for k, v in held.prev_lots.items() if v} == before
            assert (p.opening_declared == "0").all()
        else:
            assert (p.opening_declared == "1").all()
        before = {k: v for k, v in held.lots.items() if v}
        t = read(world, "trade", day)
        opens = t.offset == "O"
        t["position_side"] = ["L" if (s == "B") == (o == "O") else "S"
                              for s, o in zip(t.side, t.offset, strict=True)]  # fmt: skip
        sums = p.groupby(KEY)[["open_lots", "close_lots", "fee"]].sum()
        opened = t[opens].groupby(KEY).lots.sum()
        closed = t[~opens].groupby(KEY).lots.sum()
        assert (sums.open_lots[sums.open_lots > 0] == opened.sort_index()).all()
        assert (sums.close_lots[sums.close_lots > 0] == closed.sort_index()).all()
        assert (sums.fee[sums.fee != 0] == t.groupby(KEY).fee.sum().loc[lambda f: f != 0]).all()
        side = p.pivot_table(
            index="contract_id", columns="position_side", values=["lots", "prev_lots",
            "delivery_lots", "expiry_lots", "forced_lots", "transfer_in_lots",
            "transfer_out_lots"],
            aggfunc="sum", fill_value=0,
        )  # fmt: skip
        for column in ("lots", "prev_lots", "delivery_lots", "expiry_lots", "forced_lots"):
            assert (side[column].L == side[column].S).all()
        assert (side.transfer_in_lots == side.transfer_out_lots).all().all()


def test_every_kind_of_leaving_occurs(home: Path) -> None:
    """Ten dates hold deliveries, expiries, transfers between codes and a forced reduction."""
    names = ["transfer_in_lots", "transfer_out_lots", "delivery_lots", "expiry_lots", "forced_lots"]
    total = sum(read(home, "position", day)[names].sum() for day in days(home))
    assert (total > 0).all()


def test_funds_balance_to_the_cent(world: Path) -> None:
    """Member funds roll forward, equal their clients' positions, and profit sums to zero."""
    before: dict[str, int] | None = None
    for day in days(world):
        f = read(world, "member_fund", day)
        gained = f.close_profit + f.holding_profit - f.fee - f.message_fee + f.delivery_payment
        assert (f.balance == f.prev_balance + f.deposit - f.withdrawal + gained).all()
        assert (f.available == f.balance - f.margin).all()
        assert int((f.close_profit + f.holding_profit).sum()) == 0
        assert int(f.delivery_payment.sum()) == 0
        if before is not None:
            assert dict(zip(f.member_id, f.prev_balance, strict=True)) == before
        before = dict(zip(f.member_id, f.balance, strict=True))
        p = read(world, "position", day)
        columns = ["margin", "close_profit", "holding_profit", "fee"]
        sums = p.groupby("member_id")[columns].sum()
        own = f.set_index("member_id")[columns]
        assert (own.loc[sums.index] == sums).all().all()
        assert (own.drop(sums.index) == 0).all().all()


def test_message_fees_tie_from_orders_to_members(world: Path) -> None:
    """Counted again from the delivered files: a client's messages are its orders, cancels and
    quote requests, its fee that of the notice's bands in SHFE's contracts, a member's that of its
    clients; somebody pays."""
    paid = 0
    for day in days(world):
        events = read(world, "order_event", day)
        own = (events.event_type == "CANCEL") & (events.reason != "SESSION_END")
        sent = events[own | (events.event_type == "NEW")]
        asked = read(world, "quote_request", day)
        key = ["client_id", "exchange", "contract_id"]
        count = pd.concat([sent[key], asked[key]]).groupby(key).size().rename("n").reset_index()
        met = events[events.event_type == "FILL"].groupby(key).order_id.nunique().rename("met")
        count = count.merge(met, how="left", on=key).fillna({"met": 0})
        fees: dict[str, int] = {}
        for row in count[count.exchange == "SHFE"].itertuples():
            n = int(row.n)
            bands = ((4_000, 8_000, 50), (8_000, 40_000, 250), (40_000, 10**9, 5_000))
            fee = sum(max(min(n, most) - least, 0) * price for least, most, price in bands)
            fee = fee // 2 if n / max(int(row.met), 1) - 1 <= 2 else fee
            fees[row.client_id] = fees.get(row.client_id, 0) + fee
        f = read(world, "client_fund", day).set_index("client_id")
        assert {c: int(v) for c, v in f.message_fee.items() if v} == {
            c: v for c, v in fees.items() if v
        }
        told = f.message_count.astype(int)
        assert told[told > 0].to_dict() == count.groupby("client_id").n.sum().to_dict()
        members = read(world, "member_fund", day).set_index("member_id").message_fee
        assert (
            f.groupby("member_id")
            .message_fee.sum()
            .reindex(members.index)
            .fillna(0)
            .eq(members)
            .all()
        )
        paid += int(members.sum())
    assert paid > 0


def test_profit_is_marked_to_market(world: Path) -> None:
    """Per client and contract, profit equals what prices did to its trades and holdings; what
    is reduced by force leaves at the limit price at which the contract closed."""
    multiplier = _multipliers(world)
    for day in days(world):
        s = read(world, "settlement", day).set_index("contract_id")
        p = read(world, "position", day)
        sign = p.position_side.map({"L": 1, "S": -1})
        move = (s.settlement_price - s.prev_settlement_price).astype(int)
        size = p.contract_id.map(multiplier)
        p["total"] = sign * p.prev_lots * p.contract_id.map(move) * size
        cut = p.forced_lots > 0
        close = s.close_price.loc[p.contract_id[cut]]
        limits = s.loc[p.contract_id[cut], ["lower_limit_price", "upper_limit_price"]]
        assert limits.eq(close, axis=0).any(axis=1).all()
        off = close.to_numpy(int) - s.settlement_price.loc[p.contract_id[cut]].to_numpy(int)
        p.loc[cut, "total"] += sign[cut] * p.forced_lots[cut] * off * size[cut]
        t = read(world, "trade", day)
        paid = t.contract_id.map(s.settlement_price).astype(int) - t.price.astype(int)
        way = t.side.map({"B": 1, "S": -1})
        t["total"] = way * t.lots * paid * t.contract_id.map(multiplier)
        who = ["client_id", "contract_id"]
        expected = p.groupby(who).total.sum().add(t.groupby(who).total.sum(), fill_value=0)
        p["profit"] = p.close_profit + p.holding_profit
        assert (p.groupby(who).profit.sum() == expected.astype(int)).all()


def test_limits_widen_and_margins_rise_after_a_limit_day(home: Path) -> None:
    """After one date at a limit the next limit is 3 points wider, after two 5, after the third
    ordinary again; margins at the end of the first two dates are that limit plus 2 points."""
    streak: dict[str, int] = {}
    widened = 0
    for day in days(home):
        s = read(home, "settlement", day)
        rules = _specifications(home, day).loc[s.commodity_id]
        spec = rules.price_limit_rate.astype(float).to_numpy()
        points = s.contract_id.map(lambda c: (0, 3, 5)[abs(streak.get(c, 0)) % 3])  # noqa: B023
        limit = spec + points / 100
        tick = rules.tick_size.astype(float).to_numpy() * 100
        assert ((s.upper_limit_price / s.prev_settlement_price - 1 - limit).abs()
                <= tick / s.prev_settlement_price).all()  # fmt: skip
        assert ((1 - s.lower_limit_price / s.prev_settlement_price - limit).abs()
                <= tick / s.prev_settlement_price).all()  # fmt: skip
        widened += int((points > 0).sum())
        way = (s.close_price == s.upper_limit_price) * 1 - (s.close_price == s.lower_limit_price)
        before, streak = streak, {}
        for name, sign in zip(s.contract_id, way, strict=True):
            known = before.get(name, 0)
            streak[name] = (known + sign if known * sign > 0 else sign) if sign else 0
        nearest = s.contract_id.map(lambda c: (0, 3, 5)[abs(streak[c]) % 3])  # noqa: B023
        raised = nearest > 0
        least = spec[raised] + nearest[raised] / 100 + 0.02 - 1e-9
        for name in ("spec_margin_rate", "hedge_margin_rate"):
            assert (s.loc[raised, name].astype(float) >= least).all()
    assert widened


def test_a_forced_reduction_follows_three_limit_days(home: Path) -> None:
    """Exactly the contracts that closed at one limit three dates in a row are reduced, and the
    truth names their lots, price and clients."""
    lines = [
        (path.stem[6:].replace("-", ""), json.loads(line))
        for path in sorted((home / "truth").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    told = {(d, r["contract_id"]): r for d, r in lines if r["kind"] == "forced_reduction"}
    streak: dict[str, int] = {}
    found: set[tuple[str, str]] = set()
    for day in days(home):
        s = read(home, "settlement", day)
        way = (s.close_price == s.upper_limit_price) * 1 - (s.close_price == s.lower_limit_price)
        before, streak = streak, {}
        for name, sign in zip(s.contract_id, way, strict=True):
            known = before.get(name, 0)
            streak[name] = (known + sign if known * sign > 0 else sign) if sign else 0
        p = read(home, "position", day)
        p = p[p.forced_lots > 0]
        for name, rows in p.groupby("contract_id"):
            found.add((day, str(name)))
            record = told[day, str(name)]
            assert abs(streak[str(name)]) % 3 == 0
            assert record["lots"] == rows.forced_lots[rows.position_side == "L"].sum()
            assert set(record["clients"]) == set(rows.client_id)
            limit = "upper_limit_price" if record["direction"] == "UP" else "lower_limit_price"
            own = s.set_index("contract_id").loc[str(name)]
            assert record["price_hundredths"] == own[limit]
    assert found == set(told)
    assert found


def test_settlement_ties_with_trades_positions_and_limits(world: Path) -> None:
    """Volume, turnover, prices and open interest follow from trades; prices keep the limits."""
    for day in days(world):
        s = read(world, "settlement", day).set_index("contract_id")
        t = read(world, "trade", day)
        b = t[t.side == "B"]
        by = b.groupby("contract_id")
        traded = s[s.volume_lots > 0].sort_index()
        assert (traded.volume_lots == by.lots.sum()).all()
        assert (traded.open_price == by.price.first()).all()
        assert (traded.close_price == by.price.last()).all()
        assert (traded.high_price == by.price.max()).all()
        assert (traded.low_price == by.price.min()).all()
        value = (b.price * b.lots * b.contract_id.map(_multipliers(world))).astype("int64")
        assert (traded.turnover == value.groupby(b.contract_id).sum()).all()
        assert (s.settlement_price <= s.upper_limit_price).all()
        assert (s.settlement_price >= s.lower_limit_price).all()
        assert (traded.high_price <= traded.upper_limit_price).all()
        assert (traded.low_price >= traded.lower_limit_price).all()
        p = read(world, "position", day)
        interest = p[p.position_side == "L"].groupby("contract_id").lots.sum()
        assert (s.open_interest_lots[interest.index] == interest).all()
        assert (s.open_interest_lots.drop(interest.index) == 0).all()


def test_public_files_tie_with_clearing(world: Path) -> None:
    """Quotes equal settlement, subtotals and totals add up, rankings sum to twice the volume."""
    for day in days(world)[-2:]:
        s = read(world, "settlement", day)
        for exchange, prefix in (("SHFE", ""), ("INE", "ine_")):
            own = s[s.exchange == exchange]
            rows = records(world, f"{prefix}kx{day}.dat", day)["o_curinstrument"]
            single = [r for r in rows if r["PRODUCTCLASS"] == "1"]
            single = [r for r in single if r["DELIVERYMONTH"] not in ("小计", "")]
            assert [r["VOLUME"] for r in single] == list(own.volume_lots)
            assert [r["TURNOVER"] * 1_000_000 for r in single] == list(own.turnover)
            assert [r["OPENINTEREST"] for r in single] == list(own.open_interest_lots)
            for part in ("VOLUME", "TURNOVER", "OPENINTEREST", "OPENINTERESTCHG"):
                for group in {r["PRODUCTGROUPID"] for r in single}:
                    block = [r for r in rows if r["PRODUCTGROUPID"] == group]
                    total = next(r for r in block if r["DELIVERYMONTH"] == "小计")
                    assert total[part] == sum(r[part] for r in block if r is not total)
                grand = next(r for r in rows if r["PRODUCTID"] == "总计")
                assert grand[part] == sum(r[part] for r in single)
            ranks = records(world, f"{prefix}pm{day}.dat", day)["o_cursor"]
            for commodity, of in own.groupby("commodity_id"):
                summed = [r for r in ranks if r["INSTRUMENTID"] == f"{commodity}all"]
                if not summed:
                    assert of.volume_lots.sum() == of.open_interest_lots.sum() == 0
                    continue
                assert sum(r["CJ1"] for r in summed) == 2 * of.volume_lots.sum()
                assert sum(r["CJ2"] for r in summed) == of.open_interest_lots.sum()
                assert sum(r["CJ3"] for r in summed) == of.open_interest_lots.sum()
            for last in (r for r in ranks if r["RANK"] == 999):
                shown = [r for r in ranks if r["INSTRUMENTID"] == last["INSTRUMENTID"]]
                shown = [r for r in shown if 1 <= r["RANK"] <= 20]
                for k in ("CJ1", "CJ2", "CJ3", "CJ1_CHG", "CJ2_CHG", "CJ3_CHG"):
                    assert last[k] == sum(r[k] or 0 for r in shown)
            stock = records(world, f"{prefix}{day}dailystock.dat", day)["o_cursor"]
            for total in (r for r in stock if r["ROWSTATUS"] in "12"):
                rows_in = [r for r in stock if r["ROWSTATUS"] == "0"]
                rows_in = [r for r in rows_in if r["VARID"] == total["VARID"]]
                if total["ROWSTATUS"] == "1":
                    rows_in = [r for r in rows_in if r["REGNAME"] == total["REGNAME"]]
                assert total["WRTWGHTS"] == sum(r["WRTWGHTS"] for r in rows_in)
                assert total["WRTCHANGE"] == sum(r["WRTCHANGE"] for r in rows_in)


def test_every_order_was_sent_from_a_login(world: Path) -> None:
    """Each order's terminal is one its client was logged in at, at that time."""
    day = days(world)[-1]
    events = read(world, "order_event", day)
    new = events[events.event_type == "NEW"]
    login = read(world, "login", day)
    joined = new.merge(login, on=["client_id", "terminal_id"], suffixes=("", "_l"))
    covered = joined[
        (joined.event_time >= joined.login_time) & (joined.event_time <= joined.logout_time)
    ]
    assert set(covered.event_id) == set(new.event_id)


def test_the_night_session_belongs_to_the_next_trade_date(world: Path) -> None:
    """Night events happen on the calendar days before; none after a holiday."""
    first, second = days(world)[:2]
    assert (read(world, "order_event", first).session == "DAY").all()  # 31 December has no night
    events = read(world, "order_event", second)
    night = events[events.session == "NIGHT"]
    assert len(night) > 0
    assert (night.event_time.str[:10] <= "2026-01-06").all()
    assert (night.trade_date == second).all()


def _multipliers(world: Path) -> dict[str, int]:
    out: dict[str, int] = {}
    for day in days(world):
        contract = read(world, "contract", day)
        out |= dict(zip(contract.contract_id, contract.multiplier.astype(int), strict=True))
    return out


def _specifications(world: Path, day: str) -> pd.DataFrame:
    """The commodities as specified on a date, by the changes delivered until then."""
    told = pd.concat([read(world, "commodity", d) for d in days(world) if d <= day])
    told = told[told.valid_from.str.replace("-", "") <= day]
    return told.sort_values("valid_from", kind="stable").groupby("commodity_id").last()
