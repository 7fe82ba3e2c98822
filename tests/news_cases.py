"""Small days of news and the marts over them, in DuckDB: the jobs' own SQL, no Spark."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from contracts.catalogue import load_catalogue
from contracts.compile.duckdb import ddl
from pipelines.sentiment import hot_word_daily, news_influence, news_sentiment_daily
from pipelines.sentiment.day import Article, load_weights, mention_rows
from pipelines.sentiment.ontology import load_ontology
from pipelines.sentiment.words import build_dictionary
from pipelines.simulation.commodity import DATA

BEFORE, DAY = date(2026, 1, 5), date(2026, 1, 6)
ONTOLOGY = load_ontology()
with (DATA / "commodities.csv").open(encoding="utf-8", newline="") as _file:
    COMMODITIES = [
        (r["commodity_id"], r["name_zh"], r["name_en"], r["exchange"])
        for r in csv.DictReader(_file)
    ]
NAMES = build_dictionary(
    ONTOLOGY, commodities=[row[:3] for row in COMMODITIES], contracts=["cu2603"],
    members=[("0001", "虚构期货")], places=["虚构港"],
)  # fmt: skip
STRIKE = "北方铜矿工会今起罢工，市场担心供应"
STOCKS = "铜库存大幅增加三万吨"


def article(
    number: int, title: str, source: str, *, day: date = DAY, reach: int | None = 100,
    body: str = "",
) -> Article:  # fmt: skip
    """An article at 12:00 Beijing time and some minutes."""
    at = datetime(day.year, day.month, day.day, 4, number % 60, tzinfo=UTC)
    return Article(f"N{number}", day, at, source, title, body or f"{title}。据称。", reach)


DAYS = [
    article(1, STRIKE, "甲"),
    article(2, STRIKE, "乙"),
    article(3, STRIKE, "乙"),
    article(4, STOCKS, "甲"),
    article(5, "沪铝夜盘收平", "甲"),
]


def marts(articles: Sequence[Article]) -> duckdb.DuckDBPyConnection:
    """silver.news_article, gold.news_mention and the three marts, as the jobs make them."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'; CREATE SCHEMA silver; CREATE SCHEMA gold")
    catalogue = load_catalogue()
    news = ("news_mention", "news_sentiment_daily", "hot_word_daily", "news_influence")
    for name in ("silver.news_article", "silver.commodity", *(f"gold.{n}" for n in news)):
        database.execute(ddl(catalogue[name], name.split(".")[0]))
    _insert(database, "silver.news_article", (_row(a) for a in articles))
    _insert(database, "silver.commodity", (
        {"commodity_id": key, "name_zh": zh, "name_en": en, "exchange": exchange,
         "valid_from": date(2020, 1, 2), "known_from": date(2020, 1, 2)}
        for key, zh, en, exchange in COMMODITIES
    ))  # fmt: skip
    days = sorted({a.trade_date for a in articles})
    for n, day in enumerate(days):
        known = [a for a in articles if a.trade_date in days[max(0, n - 5) : n + 1]]
        rows = mention_rows(day, known, ONTOLOGY, NAMES, load_weights())
        _insert(database, "gold.news_mention", rows)
    window = (
        "(SELECT m.*, d.day AS _for_interval FROM gold.news_mention m JOIN (SELECT day, lag(day, 5)"
        " OVER (ORDER BY day) AS since FROM (SELECT DISTINCT trade_date AS day FROM "
        "silver.news_article)) d ON m.trade_date < d.day AND m.trade_date >= "
        "coalesce(d.since, DATE '1990-01-01'))"
    )
    weights = load_weights()
    for name, sql in (
        ("news_sentiment_daily", news_sentiment_daily.SQL),
        ("hot_word_daily", hot_word_daily.hot_word_sql(weights)),
        ("news_influence", news_influence.influence_sql(weights)),
    ):
        given = {"mention": "gold.news_mention", "article": "silver.news_article", "window": "_w_"}
        for key, table in given.items():
            sql = sql.replace(f"{{{key}}}", table)
        query = sqlglot.transpile(sql, read="spark", write="duckdb")[0].replace("_w_", window)
        columns = ", ".join(f'"{c.name}"' for c in catalogue[f"gold.{name}"].columns)
        database.execute(f"INSERT INTO gold.{name} ({columns}) SELECT {columns} FROM ({query})")
    return database


def rows_of(database: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Rows as dictionaries."""
    found = database.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _row(a: Article) -> dict[str, Any]:
    return {
        "article_id": a.article_id, "trade_date": a.trade_date, "published_at": a.published_at,
        "source": a.source, "language": "zh", "title": a.title, "body": a.body,
        "url_path": f"/{a.article_id}", "reach": a.reach,
    }  # fmt: skip


def _insert(
    database: duckdb.DuckDBPyConnection, table: str, rows: Iterable[dict[str, Any]]
) -> None:
    found = pa.Table.from_pylist(list(rows))
    database.register("given", found)
    database.execute(f"INSERT INTO {table} BY NAME SELECT * FROM given")
    database.unregister("given")
