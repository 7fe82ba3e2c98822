"""What can go wrong while a batch is judged; each names product, interval and next step."""

from __future__ import annotations

from contracts.errors import TerminalError


class RuleInputMissingError(TerminalError):
    """A rule reads a product that was not handed to it: the plan and the contract disagree."""

    code = "rule-input-missing"

    def __init__(self, rule_id: str, view: str, product: str | None = None) -> None:
        self.rule_id = rule_id
        self.view = view
        super().__init__(
            f"Rule {rule_id} reads {view}, which was not handed to it.",
            next_step="name the product in the rule's `reads`, or mend the job that passes it.",
            product=product,
        )


class RowsOutsideIntervalsError(TerminalError):
    """A job returned rows of intervals that it was not asked for (or with no interval)."""

    code = "rows-outside-intervals"

    def __init__(self, product: str, rows: int, intervals: tuple[str, ...]) -> None:
        self.rows = rows
        self.intervals = intervals
        super().__init__(
            f"{rows} rows belong to none of the intervals asked for ({', '.join(intervals)}).",
            next_step="filter the job's output to `inputs.intervals`; a null interval column is "
            "never allowed.",
            product=product,
        )


class RuleSqlError(TerminalError):
    """A rule's SQL does not fit its contract (a key column is missing from its result)."""

    code = "rule-sql"

    def __init__(self, rule_id: str, problem: str, product: str | None = None) -> None:
        self.rule_id = rule_id
        self.problem = problem
        super().__init__(
            f"The SQL of rule {rule_id} cannot be used: {problem}.",
            next_step="mend the rule's `sql` in the contract; see the rule book for its shape.",
            product=product,
        )
