"""Read a product's ODCS v3.1.0 YAML as a typed Contract.

``contracts/<layer>/<name>.yaml`` holds one product. See docs/contracts.md for how it is written.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from contracts.columns import read_columns
from contracts.implied import BRONZE_COLUMNS, SILVER_COLUMNS, implied_rules
from contracts.model import (
    ChangeNote,
    Column,
    Contract,
    Format,
    LegalHold,
    Reference,
    Rule,
    Sla,
)
from contracts.rule_text import read_rule
from contracts.standards import Standards, load_standards
from contracts.yaml_text import ContractInvalidError, Reader, YamlPath, read_yaml

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue

__all__ = ["ContractInvalidError", "load_catalogue", "load_contract"]

LAYERS = ("bronze", "silver", "gold")
_TOP = frozenset(
    {
        "apiVersion",
        "kind",
        "id",
        "name",
        "version",
        "status",
        "domain",
        "description",
        "schema",
        "team",
        "slaProperties",
        "customProperties",
        "tags",
    }
)
_OBJECT = frozenset(
    {
        "name",
        "businessName",
        "description",
        "logicalType",
        "physicalType",
        "properties",
        "relationships",
        "quality",
        "customProperties",
    }
)
_OURS = frozenset(
    {
        "titleZh",
        "descriptionZh",
        "intervalColumn",
        "flow",
        "audiences",
        "sortKey",
        "source",
        "formats",
        "scd2",
        "synonyms",
        "lineage",
        "unit",
        "changelog",
        "endsOn",
        "replacedBy",
        "legalHold",
    }
)


def load_catalogue(root: Path | None = None) -> Catalogue:
    """Load every contract and standard; see ``contracts.catalogue.load_catalogue``."""
    from contracts import catalogue

    return catalogue.load_catalogue(root)


def load_contract(path: Path | str, standards: Standards | None = None) -> Contract:
    """Read one contract; raise ContractInvalidError with file, YAML path, line and mend.

    ``standards`` defaults to the ``standards`` folder beside the contract's layer folder.
    """
    file = Path(path)
    if standards is None:
        standards = load_standards(file.parent.parent / "standards")
    reader = Reader(file)
    raw = reader.only(read_yaml(file), (), _TOP)
    return _Build(reader, raw, _odcs(reader, raw), standards).contract()


def _odcs(reader: Reader, raw: dict[str, Any]) -> OpenDataContractStandard:
    for key in ("apiVersion", "kind", "id", "name", "version", "status", "schema", "team"):
        if key not in raw:
            raise reader.refuse((), f"{key} is missing", f"Add `{key}:` (see docs/contracts.md).")
    if raw["apiVersion"] != "v3.1.0" or raw["kind"] != "DataContract":
        raise reader.refuse(
            ("apiVersion",), "not a contract we read", "`apiVersion: v3.1.0`, `kind: DataContract`."
        )
    try:
        return OpenDataContractStandard.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise reader.refuse(
            tuple(first["loc"]), f"{first['msg']} (ODCS)", "Follow the ODCS v3.1.0 layout."
        ) from None


class _Build:
    """Turns one checked document into a Contract."""

    def __init__(
        self,
        reader: Reader,
        raw: dict[str, Any],
        odcs: OpenDataContractStandard,
        standards: Standards,
    ) -> None:
        self.reader, self.raw, self.odcs, self.standards = reader, raw, odcs, standards
        self.product = self._product()
        self.layer, self.name = self.product.split(".", 1)
        self.ours = self._our_properties()

    def contract(self) -> Contract:
        """Build the whole contract."""
        reader, raw = self.reader, self.raw
        schema = reader.items(raw["schema"], ("schema",))
        if len(schema) != 1:
            raise reader.refuse(("schema",), "must hold one object", "One product, one table.")
        table = reader.only(schema[0], ("schema", 0), _OBJECT)
        if table.get("name") != self.name:
            raise reader.refuse(
                ("schema", 0, "name"), "is not the product's name", f"Write `name: {self.name}`."
            )
        properties = reader.items(table.get("properties"), ("schema", 0, "properties"))
        declared = read_columns(reader, properties, self.layer, self.name, self.standards)
        lineage = self.ours.get("lineage")
        if lineage is not None and (lineage != "row" or self.layer != "silver"):
            raise reader.refuse(
                self._at("lineage"), "lineage", "Only `row`, and only in silver contracts."
            )
        technical = BRONZE_COLUMNS if self.layer == "bronze" else SILVER_COLUMNS if lineage else ()
        columns = (*declared.columns, *technical)
        known = {c.name for c in columns}
        unit = self._columns("unit", known)
        retention, sla = self._sla()
        owner, steward = self._team()
        description = reader.only(
            raw.get("description", {}),
            ("description",),
            frozenset({"purpose", "usage", "limitations"}),
        )
        rules, references = self._rules(table, properties, columns, declared.key, unit)
        return Contract(
            product=self.product,
            version=reader.text(raw["version"], ("version",)),
            status=reader.text(raw["status"], ("status",)),
            title=reader.text(table.get("businessName"), ("schema", 0, "businessName")),
            title_zh=reader.text(self.ours.get("titleZh"), self._at("titleZh")),
            description=reader.text(description.get("purpose"), ("description", "purpose")),
            description_zh=self.ours.get("descriptionZh", ""),
            domain=reader.text(raw.get("domain"), ("domain",)),
            owner=owner,
            steward=steward,
            columns=columns,
            key=declared.key,
            interval_column=self._interval_column(known),
            scd2=reader.flag(self.ours.get("scd2", False), self._at("scd2")),
            references=(*declared.references, *references),
            rules=rules,
            sla=sla,
            retention_days=retention,
            flow=reader.text(self.ours.get("flow"), self._at("flow")),
            audiences=self._texts("audiences"),
            sort_key=self._columns("sortKey", known),
            source=self.ours.get("source"),
            formats=self._formats(),
            synonyms=self._texts("synonyms"),
            changelog=self._changelog(),
            ends_on=self._ends_on(),
            replaced_by=self.ours.get("replacedBy"),
            legal_holds=self._legal_holds(),
        )

    def _ends_on(self) -> date | None:
        if "endsOn" not in self.ours:
            return None
        return self.reader.day(self.ours["endsOn"], self._at("endsOn"))

    def _legal_holds(self) -> tuple[LegalHold, ...]:
        found = []
        path = self._at("legalHold")
        for i, entry in enumerate(self.reader.items(self.ours.get("legalHold", []), path)):
            at = (*path, i)
            entry = self.reader.only(entry, at, frozenset({"first", "last", "reason"}))
            found.append(
                LegalHold(
                    first=self.reader.day(entry.get("first"), at),
                    last=self.reader.day(entry.get("last"), at),
                    reason=self.reader.text(entry.get("reason"), at),
                )
            )
        return tuple(found)

    def _product(self) -> str:
        product = self.reader.text(self.raw["name"], ("name",))
        file = self.reader.file
        layer, _, name = product.partition(".")
        if layer not in LAYERS or not name.isidentifier():
            raise self.reader.refuse(
                ("name",), f"product name {product!r}", "Write `<bronze|silver|gold>.<name>`."
            )
        if file.stem != name or (file.parent.name in LAYERS and file.parent.name != layer):
            raise self.reader.refuse(
                ("name",), f"{product} is in the wrong file", f"Move it to {layer}/{name}.yaml."
            )
        return product

    def _our_properties(self) -> dict[str, Any]:
        ours: dict[str, Any] = {}
        entries = self.reader.items(self.raw.get("customProperties", []), ("customProperties",))
        for i, entry in enumerate(entries):
            path: YamlPath = ("customProperties", i)
            entry = self.reader.only(entry, path, frozenset({"property", "value"}))
            key = entry.get("property")
            if key not in _OURS or key in ours:
                raise self.reader.refuse(
                    path,
                    f"custom property {key!r} is {'written twice' if key in ours else 'unknown'}",
                    f"Use each once: {', '.join(sorted(_OURS))}.",
                )
            ours[key] = entry.get("value")
        return ours

    def _at(self, key: str) -> YamlPath:
        for i, entry in enumerate(self.raw.get("customProperties", [])):
            if entry.get("property") == key:
                return ("customProperties", i, "value")
        return ("customProperties", key)

    def _texts(self, key: str) -> tuple[str, ...]:
        return self.reader.texts(self.ours[key], self._at(key)) if key in self.ours else ()

    def _columns(self, key: str, known: set[str]) -> tuple[str, ...]:
        names = self._texts(key)
        for name in names:
            if name not in known:
                raise self.reader.refuse(
                    self._at(key), f"{key} names an unknown column {name!r}", "Name a column."
                )
        return names

    def _interval_column(self, known: set[str]) -> str | None:
        if self.layer == "bronze":
            return "_interval"
        scd2 = self.ours.get("scd2", False)
        default = "trade_date" if "trade_date" in known and not scd2 else "all"
        name = self.ours.get("intervalColumn", default)
        if name == "all":
            return None
        if name not in known:
            raise self.reader.refuse(
                self._at("intervalColumn"), f"unknown column {name!r}", "Name a date column or all."
            )
        return str(name)

    def _sla(self) -> tuple[int, Sla | None]:
        values: dict[str, Any] = {}
        for i, entry in enumerate(
            self.reader.items(self.raw.get("slaProperties", []), ("slaProperties",))
        ):
            path: YamlPath = ("slaProperties", i)
            entry = self.reader.only(
                entry, path, frozenset({"property", "value", "unit", "description"})
            )
            if entry.get("property") not in {"due", "daysAfter", "retention"}:
                raise self.reader.refuse(path, "unknown SLA", "due, daysAfter or retention.")
            if entry["property"] == "retention" and entry.get("unit") != "d":
                raise self.reader.refuse(path, "retention is in days", "Add `unit: d`.")
            values[entry["property"]] = entry.get("value")
        if "retention" not in values:
            raise self.reader.refuse(
                ("slaProperties",),
                "retention is missing",
                "{property: retention, value: N, unit: d}",
            )
        retention = self.reader.number(values["retention"], ("slaProperties",))
        if "due" not in values:
            return retention, None
        due = self.reader.text(values["due"], ("slaProperties",))
        after = self.reader.number(values.get("daysAfter", 0), ("slaProperties",))
        return retention, Sla(due=due, days_after=after)

    def _team(self) -> tuple[str, str]:
        team = self.reader.only(self.raw["team"], ("team",), frozenset({"name", "members"}))
        roles: dict[str, str] = {}
        for i, member in enumerate(self.reader.items(team.get("members"), ("team", "members"))):
            path: YamlPath = ("team", "members", i)
            member = self.reader.only(member, path, frozenset({"username", "name", "role"}))
            roles[self.reader.text(member.get("role"), (*path, "role"))] = self.reader.text(
                member.get("username"), (*path, "username")
            )
        for role in ("owner", "steward"):
            if role not in roles:
                raise self.reader.refuse(
                    ("team", "members"), f"no {role}", f"Add {{username: ..., role: {role}}}."
                )
        return roles["owner"], roles["steward"]

    def _rules(
        self,
        table: dict[str, Any],
        properties: list[Any],
        columns: tuple[Column, ...],
        key: tuple[str, ...],
        unit: tuple[str, ...],
    ) -> tuple[tuple[Rule, ...], tuple[Reference, ...]]:
        rules: dict[str, Rule] = {}
        if self.layer != "bronze":
            rules = {r.id: r for r in implied_rules(self.name, columns, key, unit)}
        places: list[tuple[Any, YamlPath, str | None]] = [
            (entry, ("schema", 0, "quality", i), None)
            for i, entry in enumerate(table.get("quality", []))
        ]
        for p, prop in enumerate(properties):
            places += [
                (entry, ("schema", 0, "properties", p, "quality", i), prop["name"])
                for i, entry in enumerate(prop.get("quality", []))
            ]
        written: set[str] = set()
        known = {c.name for c in columns}
        references = []
        for entry, path, column in places:
            rule = read_rule(
                self.reader, entry, path, name=self.name, key=key, unit=unit, column=column
            )
            if rule.id in written:
                raise self.reader.refuse(path, f"rule {rule.id} is written twice", "Rename one.")
            for name in (*rule.columns, *rule.unit):
                if name not in known:
                    raise self.reader.refuse(
                        path, f"rule {rule.id} names an unknown column {name!r}", "Name a column."
                    )
            written.add(rule.id)
            rules[rule.id] = rule
            if rule.kind == "reference" and rule.to_product:
                references.append(
                    Reference(
                        columns=rule.columns,
                        to_product=rule.to_product,
                        to_columns=rule.to_columns,
                    )
                )
        return tuple(rules.values()), tuple(references)

    def _formats(self) -> tuple[Format, ...]:
        built = []
        at = self._at("formats")
        for i, body in enumerate(self.reader.items(self.ours.get("formats", []), at)):
            try:
                built.append(Format.model_validate(body))
            except ValidationError as error:
                first = error.errors()[0]
                raise self.reader.refuse(
                    (*at, i, *first["loc"]),
                    f"format: {first['msg']}",
                    f"A format's keys: {', '.join(Format.model_fields)}.",
                ) from None
        return tuple(built)

    def _changelog(self) -> tuple[ChangeNote, ...]:
        at = self._at("changelog")
        notes = []
        for i, body in enumerate(self.reader.items(self.ours.get("changelog", []), at)):
            body = self.reader.only(body, (*at, i), frozenset({"version", "note"}))
            notes.append(
                ChangeNote(
                    version=self.reader.text(body.get("version"), (*at, i, "version")),
                    note=self.reader.text(body.get("note"), (*at, i, "note")),
                )
            )
        return tuple(notes)
