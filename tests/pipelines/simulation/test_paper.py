"""What is delivered beside trading ties: clients' money, bank transfers, receipts, loadings,
titles and quote requests."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from delivered import days, read, records


@pytest.fixture(scope="module", params=["home", "small_home"])
def world(request: pytest.FixtureRequest) -> Path:
    """Both scales keep the same promises."""
    path: Path = request.getfixturevalue(request.param)
    return path


def test_clients_money_ties_to_the_cent(world: Path) -> None:
    """Client funds roll forward and follow from bank transfers, positions and the members'
    delivery payments; nobody ends a date short of margin."""
    before: dict[str, int] = {}
    for day in days(world):
        f = read(world, "client_fund", day)
        gained = f.close_profit + f.holding_profit - f.fee - f.message_fee + f.delivery_payment
        assert (f.balance == f.prev_balance + f.deposit - f.withdrawal + gained).all()
        assert (f.available == f.balance - f.margin).all()
        assert (f.available >= 0).all()
        if before:
            carried = dict(zip(f.client_id, f.prev_balance, strict=True))
            assert carried == {client: before.get(client, 0) for client in carried}
            assert set(before) <= set(carried)
        before = dict(zip(f.client_id, f.balance, strict=True))
        own = f.set_index("client_id")
        paid = read(world, "bank_transfer", day)
        assert (paid.amount > 0).all()
        for direction, column in (("IN", "deposit"), ("OUT", "withdrawal")):
            sums = paid[paid.direction == direction].groupby("client_id").amount.sum()
            assert (own[column] == sums.reindex(own.index, fill_value=0)).all()
        columns = ["margin", "close_profit", "holding_profit", "fee"]
        held = read(world, "position", day).groupby("client_id")[columns].sum()
        assert (own[columns] == held.reindex(own.index, fill_value=0)).all().all()
        members = read(world, "member_fund", day).set_index("member_id").delivery_payment
        clients = f.groupby("member_id").delivery_payment.sum()
        assert (members == clients.reindex(members.index, fill_value=0)).all()


def test_money_moves_within_fund_movers_groups(home: Path) -> None:
    """A fund mover's money leaves one client and reaches another of the group within two hours,
    through one account where the tie is strong; families and funds only look so."""
    flows = [
        (path.stem[6:].replace("-", ""), record)
        for path in sorted((home / "truth").glob("*.jsonl"))
        for record in map(json.loads, path.read_text("utf-8").splitlines())
        if record["kind"] == "fund_flow"
    ]
    assert {"CONTROL", "FAMILY", "FUND_MANAGER"} <= {r["class"] for _, r in flows}
    assert {True, False} == {r["shared_account"] for _, r in flows if r["class"] == "CONTROL"}
    for day, flow in flows:
        paid = read(home, "bank_transfer", day)
        own = paid[paid.transfer_id.isin([str(n) for n in flow["transfer_ids"]])]
        assert set(own.client_id) == set(flow["clients"])
        if flow["class"] != "CONTROL":
            assert set(own.direction) == {"IN"}
            continue
        out, into = own.iloc[0], own.iloc[1]
        assert (out.direction, into.direction) == ("OUT", "IN")
        assert 0.8 * out.amount <= into.amount <= out.amount
        gap = pd.Timestamp(into.transfer_time) - pd.Timestamp(out.transfer_time)
        assert pd.Timedelta(0) < gap <= pd.Timedelta(hours=2)
        same = out.counter_account_hash == into.counter_account_hash
        assert same == flow["shared_account"]


def test_receipts_are_the_published_stock(world: Path) -> None:
    """Per commodity and warehouse the living receipts are the public stock and the loadings its
    change; weights add up; what lived yesterday lives or is cancelled today."""
    alive: set[str] = set()
    for day in days(world):
        r = read(world, "warehouse_receipt", day)
        assert r.receipt_id.is_unique
        assert (r.net_weight == r.gross_weight - r.tare_weight).all()
        assert ((r.state == "CANCELLED") == (r.cancelled_date == day)).all()
        moved = read(world, "warehouse_loading", day)
        moved["signed"] = moved.net_weight * moved.direction.map({"IN": 1, "OUT": -1})
        place = ["commodity_id", "warehouse"]
        stock, change = _published(world, day)
        kept = r[r.state != "CANCELLED"].groupby(place).net_weight.sum()
        assert (kept.reindex(stock.index, fill_value=0) == stock).all()
        assert kept.sum() == stock.sum()
        signed = moved.groupby(place).signed.sum()
        assert (signed.reindex(change.index, fill_value=0) == change).all()
        assert set(moved.receipt_id) <= set(r.receipt_id)
        now = set(r.receipt_id)
        parts = set(r[r.origin_receipt_id != ""].receipt_id)
        loaded = set(moved[moved.direction == "IN"].receipt_id)
        if alive:
            assert alive <= now
            assert now - alive <= parts | loaded
        alive = set(r[r.state != "CANCELLED"].receipt_id)


def test_splits_keep_goods_and_owners(world: Path) -> None:
    """A receipt cancelled without being loaded out has parts of the same goods and lots."""
    for day in days(world)[1:]:
        r = read(world, "warehouse_receipt", day).set_index("receipt_id")
        out = read(world, "warehouse_loading", day)
        out = out[out.direction == "OUT"]
        split = r[(r.state == "CANCELLED") & ~r.index.isin(out.receipt_id)]
        parts = r[r.origin_receipt_id.isin(split.index)]
        assert (parts.groupby("origin_receipt_id").lots.sum() == split.lots.sort_index()).all()
        goods = ["commodity_id", "brand", "warehouse", "registered_date"]
        like = split.loc[parts.origin_receipt_id, goods].reset_index(drop=True)
        assert like.equals(parts[goods].reset_index(drop=True))


def test_delivered_lots_move_receipts(home: Path) -> None:
    """On a contract's last trade date receipts pass from its short to its long clients, lot for
    lot; every other change of an owner is a sale that was told."""
    owner: dict[str, str] = {}
    delivered = 0
    for day in days(home):
        p = read(home, "position", day)
        t = read(home, "title_transfer", day)
        d = t[t.transfer_reason == "DELIVERY"]
        for side, column in (("S", "from_client_id"), ("L", "to_client_id")):
            mine = p[(p.position_side == side) & (p.delivery_lots > 0)]
            want = mine.groupby(["contract_id", "client_id"]).delivery_lots.sum()
            got = d.groupby(["contract_id", column]).lots.sum()
            assert dict(want) == dict(got)
            delivered += int(want.sum())
        r = read(home, "warehouse_receipt", day)
        live = r[r.state != "CANCELLED"]
        assert set(live[live.state == "DELIVERED"].receipt_id) == set(d.receipt_id)
        now = dict(zip(live.receipt_id, live.client_id, strict=True))
        told = dict(zip(t.receipt_id, t.to_client_id, strict=True))
        assert all(now[receipt] == client for receipt, client in told.items())
        changed = {x for x, client in now.items() if x in owner and owner[x] != client}
        assert changed <= set(told)
        owner = now
    assert delivered > 0


def test_quote_requests_come_from_who_is_logged_in(world: Path) -> None:
    """Requests name listed contracts and clients with a login around that time."""
    for day in days(world):
        asked = read(world, "quote_request", day)
        assert len(asked) > 0
        assert set(asked.contract_id) <= set(read(world, "settlement", day).contract_id)
        login = read(world, "login", day)
        joined = asked.merge(login, on="client_id", suffixes=("", "_l"))
        late = pd.to_datetime(joined.logout_time) + pd.Timedelta(seconds=1)
        inside = (joined.request_time >= joined.login_time) & (
            pd.to_datetime(joined.request_time) <= late
        )
        assert set(joined[inside].request_id) == set(asked.request_id)


def _published(world: Path, day: str) -> tuple[pd.Series, pd.Series]:
    """Stock and its change in 0.001 of the unit, by commodity and warehouse."""
    rows = []
    for prefix in ("", "ine_"):
        rows += records(world, f"{prefix}{day}dailystock.dat", day)["o_cursor"]
    frame = pd.DataFrame([r for r in rows if r["ROWSTATUS"] == "0"])
    frame["warehouse"] = frame.WHABBRNAME.str.split("$").str[0]
    frame = frame.rename(columns={"VARID": "commodity_id"})
    by = frame.set_index(["commodity_id", "warehouse"])
    return by.WRTWGHTS.astype("int64") * 1000, by.WRTCHANGE.astype("int64") * 1000
