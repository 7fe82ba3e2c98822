"""From wishes to decisions: check each against contract, quarantine and results, then record.

One call is one act: everything is checked first, and all rows go into the ledger in one append,
or none does. Ids are ``<act>.<number>``, so that a whole act can be approved or revoked at once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from contracts.model import Contract, Rule
from exlake.aside import current_rows
from exlake.steward.errors import (
    DecisionExpiredError,
    DecisionFaultError,
    DecisionRowsError,
    DecisionTermsError,
    UnknownRuleError,
)
from exlake.steward.values import patch_fault
from exlake.steward.wishes import KINDS, Wish
from pipelines.engine.ledgers import DECISION, RESULT, period_of
from pipelines.engine.rows import DecisionRow, newest
from quality.decisions import MOVING

if TYPE_CHECKING:
    from pipelines.engine.run import Lake


@dataclass(frozen=True)
class Act:
    """Who decides, at whose keyboard, and when (UTC)."""

    person: str
    entered_by: str
    at: datetime


def record(lake: Lake, wishes: Sequence[Wish], act: Act) -> tuple[DecisionRow, ...]:
    """Check every wish, append all decisions at once and return them.

    Raises UnknownProductError, UnknownRuleError, DecisionRowsError, DecisionTermsError,
    DecisionExpiredError or DecisionFaultError; then nothing was recorded.
    """
    rows = resolve(lake, wishes, act)
    lake.ledgers.append((DECISION, rows))
    return rows


def resolve(lake: Lake, wishes: Sequence[Wish], act: Act) -> tuple[DecisionRow, ...]:
    """The decisions that the wishes amount to; writes nothing."""
    desk = _Desk(lake, act)
    found = [row for wish in wishes for row in desk.decisions(wish)]
    name = f"{act.at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"  # sortable, and unique
    return tuple(
        replace(row, decision_id=f"{name}.{number:03d}") for number, row in enumerate(found, 1)
    )


@dataclass
class _Desk:
    """Resolves wishes, reading each interval's quarantine and results once."""

    lake: Lake
    act: Act
    aside: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    patched: set[tuple[object, ...]] | None = None

    def decisions(self, wish: Wish) -> list[DecisionRow]:
        contract = self.lake.catalogue[wish.product]
        _check_terms(wish, contract)
        rule = _rule(contract, wish.rule) if wish.rule else None
        if wish.kind == "waiver":
            return [self._waiver(wish, rule)]
        if wish.until:
            _until(wish)
        rows = self._rows(wish, contract, rule)
        if wish.kind == "patch":
            return [self._patch(wish, contract, row) for row in rows]
        if wish.kind == "rejection":
            return [self._of_row(wish, row, self._critical(contract, row)) for row in rows]
        return [found for row in rows for found in self._releases(wish, contract, row, rule)]

    def _waiver(self, wish: Wish, rule: Rule | None) -> DecisionRow:
        if rule is None:
            raise _missing(wish, "a waiver names a rule")
        until = _until(wish)
        if until is None:
            raise _missing(wish, "a waiver ends: it needs a date")
        self._check_failed(wish, rule)
        return replace(self._row(wish), rule_id=rule.id, expires_on=until, needs_approval=True)

    def _check_failed(self, wish: Wish, rule: Rule) -> None:
        """Only a failure can be waived; an interval that nobody judged yet may be, beforehand."""
        results = self.lake.ledgers.read(
            RESULT, periods=[period_of(wish.interval)], where={"product": [wish.product]}
        )
        mine = [r for r in results if (r.interval, r.rule_id) == (wish.interval, rule.id)]
        if not mine or mine[-1].outcome == "failed":
            return
        last = mine[-1]
        if last.outcome == "not_evaluated":
            raise DecisionFaultError(
                wish.product, wish.interval,
                f"{rule.id} could not be evaluated ({last.message}): a fault of the gate itself "
                "cannot be waived.",
                "Mend what the message says, then `exlake run`.",
            )  # fmt: skip
        raise DecisionFaultError(
            wish.product, wish.interval,
            f"{rule.id} {last.outcome.replace('_', ' ')}: there is nothing to waive.",
            f"`exlake explain {wish.product} --interval {wish.interval}` tells what holds it.",
        )  # fmt: skip

    def _releases(
        self, wish: Wish, contract: Contract, row: dict[str, Any], rule: Rule | None
    ) -> list[DecisionRow]:
        own = [r for r in _own(contract, row) if rule is None or r.id == rule.id]
        if not own:
            raise DecisionRowsError(
                wish.product, wish.interval,
                f"row {_name(row)} breaks no {rule.id if rule else 'rule'} by itself: it is here "
                f"because of {', '.join(_marks(row))}; decide on the row that breaks the rule",
            )  # fmt: skip
        return [
            replace(
                self._of_row(wish, row, each.severity == "critical" or wish.until is not None),
                rule_id=each.id,
            )
            for each in own
        ]

    def _patch(self, wish: Wish, contract: Contract, row: dict[str, Any]) -> DecisionRow:
        column = wish.column or ""
        fault = patch_fault(contract, column, wish.value)
        if fault:
            raise DecisionTermsError(
                fault, "Patch a business column with a value of its type.",
                product=wish.product, interval=wish.interval,
            )  # fmt: skip
        place = (wish.product, row["delivery_id"], row["row_number"], column)
        if place in self._patched():
            raise DecisionTermsError(
                f"{column} of row {_name(row)} is patched already.",
                "Revoke that patch first: `exlake decisions list` names it.",
                product=wish.product, interval=wish.interval,
            )  # fmt: skip
        self._patched().add(place)
        found = self._of_row(wish, row, self._critical(contract, row))
        return replace(found, column=column, value=wish.value or None)

    def _patched(self) -> set[tuple[object, ...]]:
        if self.patched is None:
            self.patched = {
                (d.product, d.delivery_id, d.row_number, d.column)
                for d in newest(self.lake.ledgers.read(DECISION))
                if d.kind == "patch" and not d.revoked
            }
        return self.patched

    def _rows(self, wish: Wish, contract: Contract, rule: Rule | None) -> list[dict[str, Any]]:
        """The rows in quarantine that a wish means (a rejection may name any delivered row)."""
        here = (wish.product, wish.interval)
        if here not in self.aside:
            self.aside[here] = [r for r in current_rows(self.lake, *here) if r["delivery_id"]]
        rows = self.aside[here]
        names = [_name(r) for r in rows]
        if wish.row is None:
            found = [r for r in rows if rule and rule.id in _marks(r)]
            if not found:
                raise DecisionRowsError(*here, f"no row here broke {wish.rule}", names)
            return found
        found = _matching(rows, wish.row)
        if not found and wish.kind == "rejection":
            found = _matching(self._delivered(wish, contract), wish.row)
        if not found:
            raise DecisionRowsError(*here, f"there is no row {wish.row} in quarantine", names)
        if len(found) > 1:
            raise DecisionRowsError(
                *here, f"{wish.row} means more than one row", [_name(r) for r in found]
            )
        return found

    def _delivered(self, wish: Wish, contract: Contract) -> list[dict[str, Any]]:
        """Rows of a line in the deliveries that count: they pass, and no quarantine holds them."""
        import pyarrow.compute as pc

        from pipelines.engine.tables import exists

        lineage = ["_delivery_id", "_row_number"]
        line = (wish.row or "").rpartition(":")[2]
        job = self.lake.graph.nodes[wish.product].job
        if not line.isdigit() or job is None or contract.interval_column is None:
            return []
        deliveries = self.lake.state().deliveries
        found: list[dict[str, Any]] = []
        for source in (r.product for r in job.inputs if r.product.startswith("bronze.")):
            counting = deliveries.get(source, {}).get(wish.interval)
            place = self.lake.settings.table(source)
            if counting is None or not exists(place):
                continue
            rows = place.rows([("_interval", "=", wish.interval)], columns=lineage)
            here = pc.equal(rows.column("_row_number"), int(line))
            found += [
                {"delivery_id": r["_delivery_id"], "row_number": r["_row_number"], "rules": None}
                for r in rows.filter(here).to_pylist()
                if r["_delivery_id"] in counting.delivery_ids
            ]
        return found

    def _critical(self, contract: Contract, row: dict[str, Any]) -> bool:
        return any(r.severity == "critical" for r in _own(contract, row))

    def _of_row(self, wish: Wish, row: dict[str, Any], needs_approval: bool) -> DecisionRow:
        return replace(
            self._row(wish),
            delivery_id=row["delivery_id"],
            row_number=row["row_number"],
            expires_on=_until(wish),
            needs_approval=needs_approval,
        )

    def _row(self, wish: Wish) -> DecisionRow:
        return DecisionRow(
            decision_id="",
            kind=wish.kind,  # type: ignore[arg-type]  # checked by _check_terms
            product=wish.product,
            reason=wish.reason.strip(),
            decided_by=self.act.person,
            decided_at=self.act.at,
            interval=wish.interval,
            entered_by=self.act.entered_by,
        )


def _check_terms(wish: Wish, contract: Contract) -> None:
    if wish.kind not in KINDS:
        raise _missing(wish, f"{wish.kind!r} is no kind of decision")
    if contract.layer == "bronze":
        raise _missing(wish, "bronze is evidence and stays as delivered; decide on what is built")
    if not wish.reason.strip():
        raise _missing(wish, "a decision needs a reason")
    if contract.interval_column is None:
        if wish.interval != "all":
            raise _missing(wish, "the product has one interval, `all`")
    elif _day(wish.interval) is None:
        raise _missing(wish, f"{wish.interval!r} is no trade date")
    if wish.kind != "waiver" and wish.row is None and wish.rule is None:
        raise _missing(wish, "name rows, or the rule whose rows are meant")
    if wish.kind == "patch" and wish.row is None:
        raise _missing(wish, "a repair names its row")


def _missing(wish: Wish, what: str) -> DecisionTermsError:
    return DecisionTermsError(
        f"{what}.", "See docs/steward.md, or --help of the command.",
        product=wish.product, interval=wish.interval,
    )  # fmt: skip


def _rule(contract: Contract, name: str) -> Rule:
    rules = {rule.id: rule for rule in contract.rules}
    if name not in rules:
        raise UnknownRuleError(contract.product, name, tuple(rules))
    return rules[name]


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _until(wish: Wish) -> date | None:
    if wish.until is None:
        return None
    until = _day(wish.until)
    if until is None:
        raise _missing(wish, f"{wish.until!r} is no date")
    day = _day(wish.interval)
    if day is not None and until < day:
        raise DecisionExpiredError(wish.product, wish.interval, until)
    return until


def _marks(row: dict[str, Any]) -> list[str]:
    return json.loads(row["rules"] or "[]")  # type: ignore[no-any-return]  # our own JSON


def _own(contract: Contract, row: dict[str, Any]) -> list[Rule]:
    """Rules that the row itself breaks and that move rows (not its unit's, not warnings)."""
    marks = set(_marks(row))
    return [r for r in contract.rules if r.id in marks and r.severity in MOVING]


def _name(row: dict[str, Any]) -> str:
    return f"{row['delivery_id']}:{row['row_number']}"


def _matching(rows: Sequence[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    delivery, _, line = text.strip().rpartition(":")
    if not line.isdigit():
        return []
    return [
        r for r in rows if r["row_number"] == int(line) and r["delivery_id"].startswith(delivery)
    ]
