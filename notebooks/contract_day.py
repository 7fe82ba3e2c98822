import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="一个合约的一天 · A contract's day")


@app.cell
def _():
    import os
    from pathlib import Path

    import duckdb
    import marimo as mo

    return Path, duckdb, mo, os


@app.cell
def _(mo):
    mo.md("""
    # 一个合约的一天 · A contract's day

    The busiest contract of the newest trade date: its figures, its minutes, who traded it and
    how far the numbers can be trusted. Times below are Beijing time.
    """)
    return


@app.cell
def _(Path, duckdb, os):
    home = Path(os.environ.get("EXLAKE_HOME", "lake"))
    audience = os.environ.get("EXLAKE_AUDIENCE", "analyst")
    mart = duckdb.connect(str(home / "publish" / f"{audience}.duckdb"), read_only=True)
    day, contract = mart.sql("""
        SELECT trade_date, contract_id FROM gold.market_daily WHERE trade_count > 0
        ORDER BY trade_date DESC, volume_lots DESC, contract_id LIMIT 1
    """).fetchone()
    asked = {"day": day, "contract": contract}
    return asked, mart


@app.cell
def _(asked, mart):
    figures = (
        mart.execute(
            """
        SELECT publication_id, trade_date, contract_id, open_price, high_price, low_price,
               close_price, settlement_price, prev_settlement_price, volume_lots, turnover,
               open_interest_lots, trade_count
        FROM gold.market_daily, _meta.publication
        WHERE trade_date = $day AND contract_id = $contract LIMIT 1
    """,
            asked,
        )
        .df()
        .T.reset_index()
        .set_axis(["figure", "value"], axis=1)
    )
    figures
    return


@app.cell
def _(mo):
    mo.md("## 可信吗 · Can it be trusted")
    return


@app.cell
def _(asked, mart):
    trust = mart.execute(
        """
        SELECT product, state, inherited_from, partial, quarantined, waiting_on
        FROM _meta.interval
        WHERE trade_date = $day AND product IN
          ('gold.market_daily', 'gold.client_day', 'silver.trade', 'silver.settlement')
        ORDER BY product
    """,
        {"day": asked["day"]},
    ).df()
    trust
    return


@app.cell
def _(mo):
    mo.md("## 价格与成交量 · Price and volume by five minutes")
    return


@app.cell
def _(asked, mart):
    bars = mart.execute(
        """
        SELECT time_bucket(INTERVAL 5 MINUTE, trade_time + INTERVAL 8 HOUR) AS beijing,
               arg_min(price, trade_time) AS open, max(price) AS high, min(price) AS low,
               arg_max(price, trade_time) AS close, sum(lots) AS lots
        FROM silver.trade
        WHERE trade_date = $day AND contract_id = $contract AND side = 'B'
        GROUP BY ALL ORDER BY beijing
    """,
        asked,
    ).df()
    return (bars,)


@app.cell
def _(bars, mo):
    # One point per bar, in order of time: the breaks between sessions are left out.
    prices = [float(p) for p in bars["close"]]
    low, high = min(prices), max(prices)
    points = " ".join(
        f"{40 + 700 * i / max(len(prices) - 1, 1):.1f},"
        f"{190 - 170 * (p - low) / ((high - low) or 1):.1f}"
        for i, p in enumerate(prices)
    )
    mo.Html(f"""
    <svg viewBox="0 0 760 220" role="img" aria-label="收盘价 closing price by five minutes"
         style="max-width:760px;width:100%;font:12px sans-serif">
      <polyline points="{points}" fill="none" stroke="#0b5394" stroke-width="1.5"/>
      <text x="40" y="14">{high:,.2f}</text><text x="40" y="208">{low:,.2f}</text>
    </svg>""")
    return


@app.cell
def _(bars):
    bars
    return


@app.cell
def _(mo):
    mo.md("## 谁在交易 · Who traded it")
    return


@app.cell
def _(asked, mart):
    traders = mart.execute(
        """
        SELECT d.client_id, k.client_type, d.traded_lots, d.message_count, d.fills,
               round(100 * d.traded_lots / sum(d.traded_lots) OVER (), 2) AS percent_of_legs,
               d.end_long_lots, d.end_short_lots
        FROM gold.client_day d LEFT JOIN silver.client_as_of($day) k USING (client_id)
        WHERE d.trade_date = $day AND d.contract_id = $contract
        ORDER BY d.traded_lots DESC, d.client_id LIMIT 10
    """,
        asked,
    ).df()
    mart.close()
    traders
    return


if __name__ == "__main__":
    app.run()
