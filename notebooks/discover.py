import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="发现与关联 · Discover and join")


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
    # 发现与关联 · Discover and join

    What is in the published file, what its columns mean, and how its tables join.
    The file is opened read-only: `EXLAKE_HOME` says where the lake is, `EXLAKE_AUDIENCE` whose
    file is read (default: analyst).
    """)
    return


@app.cell
def _(Path, duckdb, os):
    home = Path(os.environ.get("EXLAKE_HOME", "lake"))
    audience = os.environ.get("EXLAKE_AUDIENCE", "analyst")
    mart = duckdb.connect(str(home / "publish" / f"{audience}.duckdb"), read_only=True)
    publication = mart.sql("SELECT publication_id, published_at FROM _meta.publication").df()
    publication
    return (mart,)


@app.cell
def _(mo):
    mo.md("## 有哪些数据产品 · What is there")
    return


@app.cell
def _(mart):
    products = mart.sql("""
        SELECT p.product, p.title_zh, p.title, p.rows, p.key_columns,
               max(i.trade_date) AS newest,
               count(*) FILTER (i.state NOT IN ('published', 'no_trading_day')) AS not_clean
        FROM _meta.product p LEFT JOIN _meta.interval i USING (product)
        GROUP BY ALL ORDER BY p.product
    """).df()
    products
    return


@app.cell
def _(mo):
    mo.md("""
    ## 按中文名查列 · Find a column by its Chinese name

    Every column that has to do with 保证金 (margin), where it is, its unit and what empty means.
    """)
    return


@app.cell
def _(mart):
    margin = mart.execute(
        """
        SELECT product, column_name, title_zh, title, unit, null_means_zh, additive
        FROM _meta.column
        WHERE contains(title_zh || title || description, $word) AND shown <> 'drop'
        ORDER BY ALL
    """,
        {"word": "保证金"},
    ).df()
    margin
    return


@app.cell
def _(mo):
    mo.md("""
    ## 关联 · Join

    Clients' days with the kind of client *as of that date* (macro `silver.client_as_of`), by
    kind: who trades, and at what ratio of orders to trades. Client ids are keyed hashes in the
    analysts' file; they join all the same.
    """)
    return


@app.cell
def _(mart):
    newest = mart.sql("SELECT max(trade_date) FROM gold.client_day").fetchone()[0]
    by_kind = mart.execute(
        """
        SELECT k.client_type, v.title_zh AS client_type_zh,
               count(DISTINCT d.client_id) AS clients, sum(d.traded_lots) AS traded_lots,
               round(sum(d.message_count) / greatest(sum(d.fills), 1), 2) AS messages_per_fill
        FROM gold.client_day d
        JOIN silver.client_as_of($day) k USING (client_id)
        LEFT JOIN _meta.column c ON c.product = 'silver.client' AND c.column_name = 'client_type'
        LEFT JOIN _meta.code v ON v.code_list = c.code_list AND v.code = k.client_type
        WHERE d.trade_date = $day
        GROUP BY ALL ORDER BY traded_lots DESC
    """,
        {"day": newest},
    ).df()
    by_kind
    return


@app.cell
def _(mo):
    mo.md("""
    ## 变更 · What has changed

    Published figures that were restated, with the reason that the ledgers recorded.
    """)
    return


@app.cell
def _(mart):
    changes = mart.sql("""
        SELECT published_at, product, "interval", added, removed, changed, cause
        FROM _meta.change ORDER BY published_at DESC, change_id LIMIT 20
    """).df()
    mart.close()
    changes
    return


if __name__ == "__main__":
    app.run()
