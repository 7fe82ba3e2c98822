"""Why a decision is not recorded: each error names what is wrong and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches

from contracts.errors import TerminalError


class DecisionRowsError(TerminalError):
    """Raised when a decision names rows that are not there, or not as it takes them."""

    code = "decision-rows"

    def __init__(self, product: str, interval: str, what: str, known: Sequence[str] = ()) -> None:
        self.known = tuple(known)
        shown = ", ".join(self.known[:5]) + (", ..." if len(self.known) > 5 else "")
        there = f" There are {len(self.known)}: {shown}." if known else ""
        super().__init__(
            f"{what}.{there}",
            product=product,
            interval=interval,
            next_step=f"`exlake quarantine show {product} --interval {interval}` lists the rows.",
        )


class DecisionTermsError(TerminalError):
    """Raised when a decision lacks something (a reason, a rule) or contradicts the contract."""

    code = "decision-terms"

    def __init__(
        self, what: str, next_step: str, *, product: str | None = None, interval: str | None = None
    ) -> None:
        super().__init__(what, next_step=next_step, product=product, interval=interval)


class UnknownRuleError(TerminalError):
    """Raised when a decision names a rule that the product's contract does not have."""

    code = "unknown-rule"

    def __init__(self, product: str, rule: str, known: Sequence[str]) -> None:
        self.rule = rule
        near = get_close_matches(rule, known, n=3, cutoff=0.4) or list(known[:5])
        super().__init__(
            f"its contract has no rule {rule!r}.",
            product=product,
            next_step=f"Did you mean {', '.join(near) or 'nothing: it has no rules'}?",
        )


class DecisionExpiredError(TerminalError):
    """Raised when a waiver would end before the interval it is for."""

    code = "decision-expired"

    def __init__(self, product: str, interval: str, until: date) -> None:
        self.until = until
        super().__init__(
            f"a waiver until {until} does not reach this interval.",
            product=product,
            interval=interval,
            next_step=f"Give a trade date from {interval} on: expiry is compared with trade dates.",
        )


class DecisionFaultError(TerminalError):
    """Raised when a waiver is asked for something that is not a failure of the rule."""

    code = "decision-fault"

    def __init__(self, product: str, interval: str, what: str, next_step: str) -> None:
        super().__init__(what, next_step=next_step, product=product, interval=interval)


class DecisionApproverError(TerminalError):
    """Raised when a decision's author would approve it himself."""

    code = "decision-approver"

    def __init__(self, decision_id: str, person: str) -> None:
        self.decision_id, self.person = decision_id, person
        super().__init__(
            f"decision {decision_id} was asked for by {person}, who cannot approve it too.",
            next_step=f"Let another person run `exlake decisions approve {decision_id}`.",
        )


class UnknownDecisionError(TerminalError):
    """Raised when no decision of that id can be approved or revoked any more."""

    code = "unknown-decision"

    def __init__(self, decision_id: str, what: str) -> None:
        self.decision_id = decision_id
        super().__init__(
            f"decision {decision_id} {what}.",
            next_step="`exlake decisions list --all` names every decision and its state.",
        )
