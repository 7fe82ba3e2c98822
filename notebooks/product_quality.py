import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="一个产品的质量 · Quality of a product")


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
    # 一个产品的质量 · Quality of a product

    What the published file itself says of `gold.client_day`: states over time, rows put aside,
    how full its columns are, and whether it agrees with the trades it is made of.
    Set `product` to look at another one.
    """)
    return


@app.cell
def _(Path, duckdb, os):
    home = Path(os.environ.get("EXLAKE_HOME", "lake"))
    audience = os.environ.get("EXLAKE_AUDIENCE", "analyst")
    mart = duckdb.connect(str(home / "publish" / f"{audience}.duckdb"), read_only=True)
    product = "gold.client_day"
    return mart, product


@app.cell
def _(mart, product):
    about = mart.execute(
        """
        SELECT title_zh, title, owner, steward, due, contract_version, rows, masked
        FROM _meta.product WHERE product = $product
    """,
        {"product": product},
    ).df()
    about
    return


@app.cell
def _(mo):
    mo.md("""
    ## 各区间 · Intervals

    `state` is the worst of its own and its inputs'; `accepted + quarantined = built`.
    """)
    return


@app.cell
def _(mart, product):
    intervals = mart.execute(
        """
        SELECT "interval", state, own_state, inherited_from, partial, built, accepted,
               quarantined, recorded_at, due_at, recorded_at > due_at AS late
        FROM _meta.interval WHERE product = $product AND state <> 'no_trading_day'
        ORDER BY "interval" DESC LIMIT 30
    """,
        {"product": product},
    ).df()
    intervals
    return


@app.cell
def _(mo):
    mo.md("## 各列 · How full the columns are")
    return


@app.cell
def _(mart, product):
    schema, table = product.split(".")
    filled = mart.execute(
        f"""
        SELECT s.column_name, c.title_zh, s.approx_unique AS distinct_about,
               s.null_percentage AS empty_percent, c.null_means_zh, c.null_means
        FROM (SUMMARIZE {schema}.{table}) s
        JOIN _meta.column c ON c.product = $product AND c.column_name = s.column_name
        ORDER BY c.position
    """,
        {"product": product},
    ).df()
    filled
    return


@app.cell
def _(mo):
    mo.md("""
    ## 与成交核对 · Against the trades

    The mart's lots beside the sum of the trades' legs, by date. `difference` should be 0 wherever
    both are clean.
    """)
    return


@app.cell
def _(mart):
    agreed = mart.sql("""
        WITH legs AS (SELECT trade_date, sum(lots) AS lots FROM silver.trade GROUP BY ALL),
             days AS (SELECT trade_date, sum(traded_lots) AS lots FROM gold.client_day GROUP BY ALL)
        SELECT trade_date, days.lots AS client_day_lots, legs.lots AS trade_lots,
               days.lots - legs.lots AS difference
        FROM days FULL JOIN legs USING (trade_date) ORDER BY trade_date DESC
    """).df()
    agreed
    return


@app.cell
def _(mo):
    mo.md("## 变更 · Restatements")
    return


@app.cell
def _(mart, product):
    restated = mart.execute(
        """
        SELECT c.published_at, c."interval", c.added, c.removed, c.changed, c.cause,
               t.column_name, t.before, t.after
        FROM _meta.change c LEFT JOIN _meta.change_total t
          ON t.change_id = c.change_id AND t.before IS DISTINCT FROM t.after
        WHERE c.product = $product ORDER BY c.published_at DESC, t.position
    """,
        {"product": product},
    ).df()
    mart.close()
    restated
    return


if __name__ == "__main__":
    app.run()
