"""The catalogue of member tags: what each number of a member profile means, as data.

One YAML file per family under ``contracts/tags/``. A tag names its formula in words, the
expression the job computes, and an evidence query: DuckDB SQL over published tables that gives
the same number without the job. Loading checks all of it; a tag or a family without an input says
so and why.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import sqlglot
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts.errors import TerminalError

FOLDER = Path(__file__).with_name("tags")
FAMILIES = (
    "scale", "structure", "behaviour", "direction", "risk", "delivery", "compliance", "service",
    "lifecycle",
)  # fmt: skip
MEMBER = re.compile(r"[0-9]{4}")
WINDOW = 20
"""Trade dates before the date that windows and trends look back on."""
MIN_PEERS = 8
"""Smallest peer group, the member included, in which a percentile or z is given (our choice)."""
MIN_TREND = 3
"""Fewest dates with a value from which a trend is given (our choice)."""
Text = Annotated[str, Field(min_length=2)]

AS_OF = "known_to IS NULL AND valid_from <= {date} AND (valid_to IS NULL OR valid_to > {date})"
FRAGMENTS = {
    "clients": f"(SELECT client_id, member_id, client_type, status, open_date, programme_reported,"
    f" valid_from FROM silver.client WHERE {AS_OF})",
    "groups": f"(SELECT group_id, client_id, status FROM silver.control_group WHERE {AS_OF})",
    "contracts": "(SELECT contract_id, delivery_month, multiplier FROM silver.contract"
    f" WHERE {AS_OF})",
    "since": "(SELECT min(calendar_date) FROM (SELECT calendar_date FROM silver.calendar WHERE "
    f"is_trade_date AND calendar_date <= {{date}} ORDER BY 1 DESC LIMIT {WINDOW + 1}))",
}
"""What evidence queries share: ``{clients}``, ``{groups}``, ``{contracts}`` as of the date, and
``{since}``, the first trade date of the window."""


class TagCatalogueInvalidError(TerminalError):
    """Raised when the tag catalogue cannot be trusted: every problem is named at once."""

    code = "tag-catalogue-invalid"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"the tag catalogue has {len(self.problems)} problem(s): {'; '.join(self.problems)}.",
            next_step="mend the entries under contracts/tags/.",
        )


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Closed):
    """Where a tag comes from. ``confidence``: V read, X excerpt, K general knowledge, P ours."""

    text: Text
    confidence: Literal["V", "X", "K", "P"]


class Tag(_Closed):
    """One number about a member and a trade date.

    ``value`` (and ``per``, its divisor) and ``sample`` are SQL over the named figures of
    ``pipelines/members/figures.py``. Below ``min_sample`` a member has its value, but no
    percentile and no part in its peers'. ``peers``: members of the same type and size class
    (``size``), or of the same type. ``score``: the sub-score whose part the tag's z is.
    """

    id: Annotated[str, Field(pattern=r"[a-z]+\.[a-z0-9_]+")]
    version: Annotated[int, Field(ge=1)] = 1
    name_zh: Text
    name_en: Text
    input: Literal["none"] | None = None
    why: Text | None = None
    formula: Text | None = None
    formula_zh: Text | None = None
    value: Text | None = None
    per: Text | None = None
    sample: Text | None = None
    sample_of: Text | None = None
    window: Text = "the trade date"
    unit: Text | None = None
    peers: Literal["size", "type"] = "size"
    min_sample: Annotated[int, Field(ge=0)] = 1
    good: Literal["higher", "lower"] | None = None
    score: Literal["risk", "compliance"] | None = None
    evidence: Text | None = None
    source: Source

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.split(".", 1)[0]

    @property
    def evidence_id(self) -> str:
        """Names the evidence query: the tag and the version of its meaning."""
        return f"{self.id}@{self.version}"

    @property
    def computed(self) -> bool:
        """False for a tag without an input."""
        return self.input is None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        told = ("formula", "formula_zh", "value", "sample", "sample_of", "unit", "evidence")
        given = [name for name in told if getattr(self, name) is not None]
        if not self.computed:
            if given or self.why is None:
                raise ValueError("a tag with input: none gives `why`, and no formula")
            return self
        if self.why is not None or len(given) != len(told):
            raise ValueError(f"a tag gives {', '.join(told)}, and no `why`")
        if self.score is not None and self.good is None:
            raise ValueError("a part of a score says which direction is good")
        self._reads_only()
        return self

    def _reads_only(self) -> None:
        try:
            trees = sqlglot.parse(self.evidence_sql("0000", date(2026, 1, 5)), dialect="duckdb")
        except (SqlglotError, KeyError, ValueError) as error:
            raise ValueError(f"evidence is no query: {error}") from None
        if len(trees) != 1 or not isinstance(trees[0], exp.Query):
            raise ValueError("evidence is exactly one SELECT")

    def evidence_sql(self, member_id: str, day: date) -> str:
        """The evidence query of one member and date; raises ValueError for a strange number."""
        if not MEMBER.fullmatch(member_id):
            raise ValueError(f"{member_id!r} is no member number")
        assert self.evidence is not None
        shared = {name: text.format(date=_day(day)) for name, text in FRAGMENTS.items()}
        return " ".join(
            self.evidence.format(member=f"'{member_id}'", date=_day(day), **shared).split()
        )


class Family(_Closed):
    """The tags of one family; ``input: none`` when nothing is delivered that it needs."""

    family: str
    name_zh: Text
    name_en: Text
    input: Literal["none"] | None = None
    why: Text | None = None
    tags: Annotated[tuple[Tag, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.family not in FAMILIES:
            raise ValueError(f"{self.family}: not one of {', '.join(FAMILIES)}")
        if strays := [tag.id for tag in self.tags if tag.family != self.family]:
            raise ValueError(f"{', '.join(strays)}: not of family {self.family}")
        none = not any(tag.computed for tag in self.tags)
        if none != (self.input == "none") or none != (self.why is not None):
            raise ValueError("a family says input: none and why exactly when no tag has an input")
        return self


class TagCatalogue(_Closed):
    """All families in their order."""

    families: tuple[Family, ...]

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Every tag that is computed, family by family."""
        return tuple(tag for family in self.families for tag in family.tags if tag.computed)

    def tag(self, tag_id: str) -> Tag:
        """One computed tag. Raises KeyError."""
        return {tag.id: tag for tag in self.tags}[tag_id]

    def parts(self, score: str) -> tuple[Tag, ...]:
        """The tags whose z are the parts of a sub-score."""
        return tuple(tag for tag in self.tags if tag.score == score)

    @property
    def digest(self) -> str:
        """A digest of what changes a number: texts and evidence do not."""
        names = ("id", "version", "value", "per", "sample", "unit", "peers", "min_sample", "good",
                 "score")  # fmt: skip
        body = [[getattr(tag, name) for name in names] for tag in self.tags]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]


def _day(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


@cache
def load_tags(folder: Path = FOLDER) -> TagCatalogue:
    """Read and check every file of the catalogue. Raises TagCatalogueInvalidError."""
    files: dict[str, Any] = {}
    problems = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            files[path.name] = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}: not YAML: {' '.join(str(error).split())}")
    if problems:
        raise TagCatalogueInvalidError(problems)
    return read_tags(files)


def read_tags(files: Mapping[str, Any]) -> TagCatalogue:
    """Check parsed files (name -> family). Raises TagCatalogueInvalidError with everything."""
    problems: list[str] = []
    found: list[Family] = []
    for name, body in files.items():
        try:
            found.append(Family.model_validate(body))
        except ValidationError as error:
            problems += [f"{name} {_place(body, e['loc'])}: {e['msg']}" for e in error.errors()]
    ids = [tag.id for family in found for tag in family.tags]
    problems += [f"{each}: defined twice" for each in sorted({i for i in ids if ids.count(i) > 1})]
    names = [family.family for family in found]
    if not problems:
        problems += [f"family {f}: no file has it" for f in FAMILIES if f not in names]
        problems += [f"family {f}: two files have it" for f in FAMILIES if names.count(f) > 1]
    if problems:
        raise TagCatalogueInvalidError(problems)
    return TagCatalogue(families=tuple(sorted(found, key=lambda f: FAMILIES.index(f.family))))


def _place(body: Any, loc: tuple[Any, ...]) -> str:
    """``tags.3.unit`` as ``risk.margin_use unit``: people look for the tag, not its number."""
    if len(loc) > 1 and loc[0] == "tags" and isinstance(loc[1], int):
        try:
            return f"{body['tags'][loc[1]]['id']} {'.'.join(map(str, loc[2:]))}".strip()
        except (KeyError, TypeError, IndexError):
            pass
    return ".".join(map(str, loc)) or "file"
