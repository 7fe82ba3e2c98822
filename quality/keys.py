"""Rules over keys, counted by DuckDB in the files of a batch.

A duplicate or a reference that leads nowhere shows in the keys alone, so only their columns are
read. Great Expectations judges these rules by pandas or on Spark: the two counts are of engines of
their own, and Spark is spared a shuffle of every key, or the jobs of a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quality.errors import RuleInputMissingError
from quality.relations import Files, Relation, bind, connect
from quality.sets import as_of_column, read_of, view_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from contracts.compile.rules import RowCheck
    from contracts.model import Contract, Rule


MEMORY = "1GB"
"""What counting may hold beside the JVM; beyond it DuckDB goes on in files."""


def tally_keys(
    files: Files,
    contract: Contract,
    checks: Sequence[RowCheck],
    views: Mapping[str, Relation],
    spill: Path,
) -> dict[str, dict[str, int]]:
    """Count failing rows of ``unique`` and ``reference`` rules, by the meaning of ``quality.sets``.

    ``files``: the batch, at least one; ``views``: what the rules read, by product name; ``spill``:
    a folder for what does not fit into ``MEMORY``. Returns
    ``{interval: {rule id: failing}}``; a pair that is absent counts 0. Raises
    RuleInputMissingError when an input was not handed over.
    """
    found: dict[str, dict[str, int]] = {}
    with connect() as connection:
        connection.execute("SET memory_limit = ?", [MEMORY])
        connection.execute("SET temp_directory = ?", [str(spill)])
        connection.execute("SET preserve_insertion_order = false")
        bind(connection, {"batch": files, **views})
        given = {view_name(product) for product in views}
        there = set(_columns(connection, "batch"))
        for check in checks:
            rule = check.rule
            if not set(rule.columns) <= there:
                continue  # a column newer than the files is null in every row, which passes
            if check.kind == "unique":
                sql = _repeated(rule, contract)
            else:
                target = view_name(str(rule.to_product))
                if target not in given:
                    raise RuleInputMissingError(rule.id, target)
                sql = _missing(rule, contract, target, _columns(connection, target))
            for interval, failing in connection.execute(sql).fetchall():
                found.setdefault(interval, {})[rule.id] = int(failing)
    return found


def _columns(connection: DuckDBPyConnection, view: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(f'DESCRIBE "{view}"').fetchall()]


def _repeated(rule: Rule, contract: Contract) -> str:
    """Per interval, how many rows come after the first of their key; a null in it passes."""
    groups = _groups(rule, contract, rule.columns)
    return (
        f"SELECT {_interval(contract)} AS i, sum(n - 1) AS failing FROM ({groups}) WHERE n > 1"
        " GROUP BY 1"
    )


def _missing(rule: Rule, contract: Contract, target: str, known: Sequence[str]) -> str:
    """Per interval, how many rows refer to what ``target`` does not hold (or not on their date)."""
    read, interval = read_of(rule), contract.interval_column
    columns = [c.name for c in contract.columns]
    on_date = as_of_column(columns, interval) if read.how == "as_of" else None
    groups = _groups(rule, contract, [*rule.columns, *([on_date] if on_date else [])])
    pairs = list(zip(rule.columns, rule.to_columns, strict=True))
    if read.how == "same" and interval in known and interval not in rule.columns:
        pairs.append((str(interval), str(interval)))
    match = [f't."{b}" = k."{a}"' for a, b in pairs]
    if on_date is not None and "valid_from" in known:
        match.append(f't."valid_from" <= k."{on_date}"')
        match.append(f'(t."valid_to" IS NULL OR k."{on_date}" < t."valid_to")')
    return (
        f"SELECT {_interval(contract)} AS i, sum(n) AS failing FROM ({groups}) k WHERE NOT EXISTS"
        f' (SELECT 1 FROM "{target}" t WHERE {" AND ".join(match)}) GROUP BY 1'
    )


def _groups(rule: Rule, contract: Contract, columns: Sequence[str]) -> str:
    """The distinct keys under the rule, each with its number of rows ``n``."""
    interval = contract.interval_column
    by = list(dict.fromkeys([*columns, *([interval] if interval else [])]))
    where = list(_where(rule, interval))
    names = ", ".join(f'"{c}"' for c in by)
    return f"SELECT {names}, count(*) AS n FROM batch WHERE {' AND '.join(where)} GROUP BY {names}"


def _where(rule: Rule, interval: str | None) -> Iterator[str]:
    for column in rule.columns:
        yield f'"{column}" IS NOT NULL'
    if interval is not None and rule.effective_from.year > 1990:
        yield f'("{interval}" IS NULL OR "{interval}" >= DATE \'{rule.effective_from}\')'


def _interval(contract: Contract) -> str:
    column = contract.interval_column
    return "'all'" if column is None else f'CAST("{column}" AS VARCHAR)'
