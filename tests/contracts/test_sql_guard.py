from __future__ import annotations

import pytest

from contracts.sql_guard import SqlRefusedError, guard_expression, guard_select

EXPRESSIONS = [
    "fee >= 0; DROP TABLE x",
    "reflect('java.lang.System', 'exit', 1) IS NULL",
    "rand() > 0.5",
    "now() < trade_time",
    "current_date() > trade_date",
    "unix_timestamp() > 1",
    "uuid() = 'a'",
    "input_file_name() = 'x'",
    "fee > (SELECT max(fee) FROM batch)",
    "EXISTS (SELECT 1)",
    "sum(fee) > 1",
    "row_number() OVER (ORDER BY fee) = 1",
    "fee > 0 -- and so on",
    "fee >= AND fee",
    "",
]
SELECTS = [
    "SELECT trade_date FROM parquet.`/etc/passwd`",
    "SELECT trade_date FROM silver.trade",
    "SELECT trade_date FROM silver_other",
    "SELECT trade_date FROM batch UNION SELECT trade_date FROM silver_other",
    "SELECT trade_date FROM batch WHERE id IN (SELECT id FROM silver_other)",
    "WITH batch AS (SELECT 1 AS trade_date) SELECT trade_date FROM batch",
    "SELECT * FROM range(10)",
    "SELECT TRANSFORM(id) USING 'cat' FROM batch",
    "SELECT id FROM batch LATERAL VIEW explode(ids) t",
    "INSERT INTO batch SELECT 1",
    "DELETE FROM batch",
    "CREATE TABLE t AS SELECT * FROM batch",
    "SELECT 1; SELECT 2",
    "SET spark.sql.ansi.enabled = false",
    "CACHE TABLE batch",
    "fee > 0",
]


@pytest.mark.parametrize("sql", EXPRESSIONS)
def test_an_expression_only_looks_at_its_row(sql: str) -> None:
    """Expressions that write, call out, ask the clock or look beyond the row are refused."""
    with pytest.raises(SqlRefusedError):
        guard_expression("x.rule", sql)


@pytest.mark.parametrize("sql", SELECTS)
def test_a_select_only_reads_what_it_declares(sql: str) -> None:
    """Statements other than one SELECT over batch and the declared reads are refused."""
    with pytest.raises(SqlRefusedError) as caught:
        guard_select("x.rule", sql, frozenset({"batch", "silver_contract"}))
    assert caught.value.rule_id == "x.rule"
    assert caught.value.mend


@pytest.mark.parametrize(
    "sql",
    [
        "price % tick_size = 0",
        "offset IN ('O', 'C') OR session = 'DAY'",
        "coalesce(fee, 0) >= 0 AND length(trim(id)) = 8",
        "CASE WHEN a > 0 THEN b ELSE c END <= round(price * lots, 4)",
        "datediff(valid_to, valid_from) >= 0",
    ],
)
def test_ordinary_expressions_pass(sql: str) -> None:
    """What contracts really need is allowed."""
    guard_expression("x.rule", sql)


def test_an_ordinary_select_passes() -> None:
    """WITH, joins, windows and set operations over declared inputs are allowed."""
    guard_select(
        "x.rule",
        "WITH t AS (SELECT id, row_number() OVER (PARTITION BY id ORDER BY n) AS k FROM batch)"
        " SELECT t.id FROM t LEFT JOIN silver_contract c ON c.id = t.id WHERE c.id IS NULL"
        " UNION ALL SELECT id FROM batch",
        frozenset({"batch", "silver_contract"}),
    )
