"""From contracts, graph and ledgers to the pages' values. Reads small tables, never Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from catalog.column_sources import column_sources
from catalog.pages.document import (
    Catalog,
    ColumnLine,
    CoverageLine,
    DecisionLine,
    IndexLine,
    IntervalLine,
    ProductPage,
    RuleLine,
)
from catalog.pages.examples import examples_of
from catalog.pages.layout import lineage_of
from catalog.publish import read_states
from catalog.states import IntervalState
from catalog.trends import trends
from contracts.catalogue import Catalogue
from contracts.model import Contract, Rule
from pipelines.engine.delivery import Delivery
from pipelines.engine.graph import Graph
from pipelines.engine.incidents import GATE, incidents_of
from pipelines.engine.ledgers import DECISION, DELIVERY, INCIDENT, Ledgers
from pipelines.engine.rows import DecisionRow, newest
from pipelines.engine.settings import Settings
from quality.report import MASK
from quality.trend import KEPT, Trend

LAYERS = {"bronze": 0, "silver": 1, "gold": 2}
ALWAYS = date(1990, 1, 1)
SHOWN_ABOVE = 2
"""Values of columns classified above this are hidden, as in the report's samples."""
WORDS = {"failed": "failed_run"}
"""Words of states that mean something else for a rule."""
Lines = Mapping[str, tuple[IntervalLine, ...]]


def catalog_of(
    settings: Settings, catalogue: Catalogue, graph: Graph, now: datetime | None = None
) -> Catalog:
    """Every page's values, as the ledgers have them at ``now`` (aware; default: this moment)."""
    moment = now or datetime.now(UTC)
    ledgers = Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds)
    states = read_states(settings, catalogue, moment)
    lines = {**_built(states), **_delivered(ledgers.read(DELIVERY))}
    dates = [s.interval for s in states if s.trade_date]
    found = trends(ledgers, until=max(dates, default=None))
    decisions = [d for d in newest(ledgers.read(DECISION)) if d.in_force]
    open_ = {
        (i.product, i.rule_id): i.incident_id
        for i in incidents_of(ledgers.read(INCIDENT))
        if i.open
    }
    products = tuple(
        _page(catalogue, graph, catalogue[p], lines.get(p, ()), found.get(p, {}), decisions, open_)
        for p in sorted(catalogue.contracts, key=lambda p: (LAYERS[p.partition(".")[0]], p))
    )
    named = {f for page in products for f in _fields(page.contract)}
    return Catalog(
        products=products,
        index=tuple(
            _index_line(p) for p in sorted(products, key=lambda p: -LAYERS[p.contract.layer])
        ),
        coverage=tuple(_coverage(page) for page in products),
        unused=tuple(sorted(set(catalogue.fields) - named)),
    )


def _page(
    catalogue: Catalogue,
    graph: Graph,
    contract: Contract,
    intervals: tuple[IntervalLine, ...],
    found: Mapping[str, Trend],
    decisions: Iterable[DecisionRow],
    open_: Mapping[tuple[str, str], str],
) -> ProductPage:
    product = contract.product
    used = dict.fromkeys(
        name
        for name in (
            *(c.code_list for c in contract.columns),
            *(r.code_list for r in contract.rules),
        )
        if name in catalogue.code_lists
    )
    rules = [_rule(r, found.get(r.id, ()), open_.get((product, r.id))) for r in contract.rules]
    if (product, GATE) in open_:
        rules.append(_gate(open_[product, GATE]))
    published = next((i.interval for i in intervals if i.state in ("published", "flagged")), None)
    return ProductPage(
        contract=contract,
        columns=_columns(catalogue, contract),
        codes=tuple(catalogue.code_lists[name] for name in used if name),
        rules=tuple(rules),
        intervals=intervals,
        decisions=tuple(_decision(contract, d) for d in decisions if d.product == product),
        lineage=lineage_of(graph, catalogue.contracts, product),
        audiences=tuple(
            catalogue.audiences[a] for a in contract.audiences if a in catalogue.audiences
        ),
        classification=max((c.classification for c in contract.columns), default=1),
        examples=examples_of(contract, published),
    )


def _columns(catalogue: Catalogue, contract: Contract) -> tuple[ColumnLine, ...]:
    refers = {c: r.to_product for r in contract.references for c in r.columns}
    sources = column_sources().get(contract.product, {})
    return tuple(
        ColumnLine(
            column=c,
            follows_standard=catalogue.standards.field(contract.name, c.name) is not None,
            key=c.name in contract.key,
            refers_to=refers.get(c.name),
            sources=tuple(f"{s.product}.{s.column}" for s in sources.get(c.name, ())),
        )
        for c in contract.business_columns
    )


def _rule(rule: Rule, trend: Trend, incident: str | None) -> RuleLine:
    tolerance = rule.tolerance_abs if rule.kind == "reconcile" else f"{rule.tolerance:.2%}"
    return RuleLine(
        rule_id=rule.id,
        kind=rule.kind,
        dimension=rule.dimension,
        severity=rule.severity,
        scope=rule.scope,
        description=rule.description,
        description_zh=rule.description_zh,
        tolerance="0" if tolerance in ("0", "0.00%") else tolerance,
        sql=rule.sql.strip() if rule.sql else None,
        effective_from=rule.effective_from if rule.effective_from != ALWAYS else None,
        trend=trend,
        incident=incident,
    )


def _gate(incident: str) -> RuleLine:
    """The gate's own incident stands among the rules: no rule shows it."""
    return RuleLine(
        GATE, "gate", "consistency", "critical", "built",
        "The gate's own figures contradict each other.", "闸门自身的计数互相矛盾。", "0", None,
        None, (), incident,
    )  # fmt: skip


def _decision(contract: Contract, d: DecisionRow) -> DecisionLine:
    """A decision without the value of a column above what the report shows."""
    levels = {c.name: c.classification for c in contract.columns}
    value = MASK if levels.get(d.column or "", 4) > SHOWN_ABOVE else d.value
    return DecisionLine(
        kind=d.kind,
        interval=d.interval or "*",
        rule_id=d.rule_id or (f"{d.column} = {value}" if d.column else ""),
        row=f"{d.delivery_id}:{d.row_number}" if d.delivery_id else "",
        reason=d.reason,
        people=" + ".join(p for p in (d.decided_by, d.approved_by) if p),
        until=d.expires_on,
    )


def _built(states: Sequence[IntervalState]) -> Lines:
    """The newest intervals of built products, the newest first; days without trading aside."""
    found: dict[str, list[IntervalLine]] = {}
    for s in states:
        if s.state == "no_trading_day":
            continue
        note = s.waiting_on or (f"← {s.inherited_from}" if s.inherited_from else "")
        missing = "; ".join(s.incomplete_because)
        found.setdefault(s.product, []).append(
            IntervalLine(
                s.interval, WORDS.get(s.state, s.state), s.partial, s.accepted, s.quarantined,
                s.recorded_at, " · ".join(x for x in (note, missing) if x),
            )
        )  # fmt: skip
    return {p: tuple(reversed(lines[-KEPT:])) for p, lines in found.items()}


def _delivered(deliveries: Iterable[Delivery]) -> Lines:
    """The newest intervals of bronze: how many deliveries, of which the last one counts here."""
    grouped: dict[tuple[str, str], list[Delivery]] = {}
    for d in deliveries:
        grouped.setdefault((f"bronze.{d.dataset}", d.interval), []).append(d)
    found: dict[str, list[IntervalLine]] = {}
    for (product, interval), group in sorted(grouped.items()):
        landed = [d for d in group if d.status == "landed"]
        refused = len(group) - len(landed)
        note = f"{len(group)} 次交付 deliveries" + (f", 拒收 refused {refused}" if refused else "")
        found.setdefault(product, []).append(
            IntervalLine(
                interval, "landed" if landed else "refused", False,
                sum(d.rows or 0 for d in landed), None, group[-1].received_at, note,
            )
        )  # fmt: skip
    return {p: tuple(reversed(lines[-KEPT:])) for p, lines in found.items()}


def _index_line(page: ProductPage) -> IndexLine:
    c = page.contract
    return IndexLine(
        product=c.product,
        layer=c.layer,
        title=c.title,
        title_zh=c.title_zh,
        description=c.description,
        description_zh=c.description_zh,
        synonyms=c.synonyms,
        columns=tuple(f"{x.name} {x.title_zh} {x.title}" for x in c.business_columns),
        owner=c.owner,
        classification=page.classification,
        audiences=c.audiences,
        state=page.state,
        newest=page.intervals[0].interval if page.intervals else "",
        troubles=tuple((i.state, i.interval) for i in page.troubles if i != page.intervals[0])[:3],
    )


def _coverage(page: ProductPage) -> CoverageLine:
    c = page.contract
    free = tuple(
        (x.column.name, x.column.type, x.column.title_zh, x.column.title)
        for x in page.columns
        if not x.follows_standard
    )
    return CoverageLine(c.product, c.title, c.title_zh, c.owner, len(page.columns), free)


def _fields(contract: Contract) -> Iterable[str]:
    for column in contract.business_columns:
        yield from (column.name, f"{contract.name}.{column.name}")
