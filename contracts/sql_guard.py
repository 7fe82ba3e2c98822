"""SQL in contracts may only read, and only what the rule declares.

The threat: a contract is a text file that many people edit, and its SQL runs with the platform's
rights. A slip or a trick must not write, call out of the engine (``reflect``), read files
(``parquet.`/path` ``), read tables outside the recorded inputs (results could not be reproduced) or
ask the clock or chance (verdicts would depend on when a run happens). So SQL is parsed, and
everything not known to be harmless is refused: one statement, SELECT or a plain expression, tables
``batch`` and the declared reads, functions the parser knows, none of them non-deterministic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts.errors import TerminalError
from contracts.model import Contract, Rule

_REFUSED = tuple(
    getattr(exp, name)
    for name in (
        "Command", "DDL", "DML", "Create", "Drop", "Alter", "Insert", "Update", "Delete", "Merge",
        "Set", "Use", "Into", "Lock", "Pragma", "Copy", "Cache", "LoadData", "Describe", "Show",
        "CurrentDate", "CurrentTime", "CurrentTimestamp", "CurrentDatetime", "CurrentUser",
        "CurrentTimezone", "CurrentDatabase", "CurrentCatalog", "CurrentSchema", "Localtime",
        "Localtimestamp", "UtcDate", "UtcTime", "UtcTimestamp", "SessionUser", "Rand", "Randn",
        "Uuid", "Version", "ReadCSV", "ReadParquet", "TableSample", "Placeholder", "Parameter",
        "SessionParameter", "Lateral", "Generator", "Explode",
        "QueryTransform", "Shuffle",
    )
    if hasattr(exp, name)
)  # fmt: skip
_ROW_ONLY = (exp.Query, exp.Table, exp.Star, exp.AggFunc, exp.Window, exp.Subquery)


class SqlRefusedError(TerminalError):
    """Raised when a rule's SQL is not a read-only text over its declared inputs."""

    code = "sql-refused"

    def __init__(self, rule_id: str, sql: str, problem: str, mend: str) -> None:
        self.rule_id, self.sql, self.problem, self.mend = rule_id, sql, problem, mend
        super().__init__(f"rule {rule_id}: {problem} in: {' '.join(sql.split())}", next_step=mend)


def view_name(product: str) -> str:
    """Return the name a product has in a rule's SQL.

    >>> view_name("silver.contract")
    'silver_contract'
    """
    return product.replace(".", "_")


def guard(rule: Rule) -> exp.Expr | None:
    """Parse a rule's SQL and refuse what may not run; None for rules without SQL."""
    if rule.sql is None:
        return None
    if rule.kind == "expression":
        return guard_expression(rule.id, rule.sql)
    tables = frozenset({"batch", *(view_name(r.product) for r in rule.reads)})
    return guard_select(rule.id, rule.sql, tables)


@lru_cache(maxsize=2048)
def guard_expression(rule_id: str, sql: str) -> exp.Expr:
    """Parse a boolean over one row: no query, aggregate or window in it."""
    tree = _parse(rule_id, sql)
    for node in tree.walk():
        if isinstance(node, _ROW_ONLY):
            raise SqlRefusedError(
                rule_id, sql, f"{type(node).__name__} cannot be decided by one row alone",
                "Use kind `rows` with a SELECT, or rewrite it over the row's columns.",
            )  # fmt: skip
    _refuse(rule_id, sql, tree)
    return tree


@lru_cache(maxsize=2048)
def guard_select(rule_id: str, sql: str, tables: frozenset[str]) -> exp.Expr:
    """Parse one SELECT whose tables are all among ``tables`` (or its own WITH names)."""
    tree = _parse(rule_id, sql)
    if not isinstance(tree, exp.Query):
        raise SqlRefusedError(rule_id, sql, "not a SELECT", "Write one SELECT statement.")
    _refuse(rule_id, sql, tree)
    named = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    clash = named & tables
    if clash:
        raise SqlRefusedError(
            rule_id, sql, f"WITH hides {', '.join(sorted(clash))}", "Give it another name."
        )
    for table in tree.find_all(exp.Table):
        plain = isinstance(table.this, exp.Identifier) and not table.db and not table.catalog
        if not plain or table.name.lower() not in named | tables:
            raise SqlRefusedError(
                rule_id, sql, f"reads {table.sql('spark')}, which the rule does not declare",
                f"Add it to `reads`; declared: {', '.join(sorted(tables))}.",
            )  # fmt: skip
    return tree


def unknown_columns(
    rule: Rule, contract: Contract, reads: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """Name the columns of a rule's SQL that do not exist.

    ``reads``: the columns of each product the rule may read, by product name.
    """
    tree = guard(rule)
    if tree is None:
        return ()
    own = {c.name for c in contract.columns}
    if rule.kind == "expression":
        missing = {c.name for c in tree.find_all(exp.Column) if c.name not in own or c.table}
        return tuple(sorted(missing))
    from sqlglot.optimizer.qualify import qualify

    schema: dict[str, object] = {
        view_name(p): dict.fromkeys(columns, "string") for p, columns in reads.items()
    }
    schema["batch"] = dict.fromkeys(own, "string")
    try:
        qualify(tree.copy(), schema=schema, dialect="spark")
    except SqlglotError as error:
        return (str(error).splitlines()[0],)
    return ()


def outputs(tree: exp.Expr) -> tuple[str, ...]:
    """Return the column names a SELECT yields (``*`` where it does not say)."""
    return tuple(tree.named_selects) if isinstance(tree, exp.Query) else ()


def _parse(rule_id: str, sql: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(sql, read="spark")
    except SqlglotError as error:
        problem = str(error).splitlines()[0] if str(error) else "not readable"
        raise SqlRefusedError(
            rule_id, sql, f"not readable as Spark SQL ({problem})", "Correct the SQL."
        ) from None
    if len(trees) != 1 or trees[0] is None:
        raise SqlRefusedError(rule_id, sql, "not exactly one statement", "Write one, without `;`.")
    return trees[0]


def _refuse(rule_id: str, sql: str, tree: exp.Expr) -> None:
    for node in tree.walk():
        if node.comments:
            raise SqlRefusedError(
                rule_id, sql, "holds a comment", "Say it in the rule's description instead."
            )
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            raise SqlRefusedError(
                rule_id, sql, f"unknown function {node.name}()",
                "Use a function every engine has, or write it with operators and CASE.",
            )  # fmt: skip
        if isinstance(node, _REFUSED):
            raise SqlRefusedError(
                rule_id, sql, f"{type(node).__name__} is not allowed",
                "A rule only reads its inputs, and gives the same answer every time.",
            )  # fmt: skip
