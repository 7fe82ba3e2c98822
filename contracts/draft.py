"""Draft a new product from a sample: field notes, two contracts, a job and its test.

Nothing else needs an edit: jobs are found by walking ``pipelines/<area>/``, DAGs carry products by
their flow, and the drafted field definitions live in a file of their own. What a person must decide
is marked TODO, which lint refuses; why a guess was made stands beside it as a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from contracts.draft_text import bronze_text, fields_text, job_text, silver_text, test_text
from contracts.errors import TerminalError
from contracts.sample import Profile, Sample, find_key, profile, read_sample
from contracts.standards import FieldDefinition, Standards

AREAS = {"external": "external", "trading": "trading_day", "reference": "reference"}
_PRODUCT = re.compile(r"silver\.([a-z][a-z0-9_]*)")
_DATE = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")


class DraftRefusedError(TerminalError):
    """Raised when a draft would overwrite something or its name is not usable."""

    code = "draft-refused"

    def __init__(self, product: str, reason: str, mend: str) -> None:
        self.reason = reason
        super().__init__(reason, product=product, next_step=mend)


@dataclass(frozen=True)
class DraftColumn:
    """One column of a draft; ``known`` is its dictionary entry, None when it needs a new one."""

    name: str
    profile: Profile
    known: FieldDefinition | None

    @property
    def type(self) -> str:
        """The type in silver."""
        return self.known.type if self.known else self.profile.type


@dataclass(frozen=True)
class Draft:
    """The drafted files by path below the repository, and what was concluded."""

    product: str
    area: str
    flow: str
    sample: Sample
    columns: tuple[DraftColumn, ...]
    key: tuple[str, ...]
    file_pattern: str

    @property
    def name(self) -> str:
        """The product's name without its layer."""
        return self.product.split(".", 1)[1]

    def files(self) -> dict[str, str]:
        """Return every file's text by path."""
        files = {
            f"contracts/bronze/{self.name}.yaml": bronze_text(self),
            f"contracts/silver/{self.name}.yaml": silver_text(self),
            f"pipelines/{self.area}/{self.name}.py": job_text(self),
            f"tests/pipelines/{self.area}/test_{self.name}.py": test_text(self),
        }
        notes = fields_text(self)
        if notes:
            files[f"contracts/standards/fields/{self.name}.yaml"] = notes
        return files


def draft(product: str, sample: Path, standards: Standards, *, area: str = "external") -> Draft:
    """Draft ``silver.<name>`` and its bronze from a CSV, JSON Lines or Parquet sample.

    ``area`` is the folder of the job and decides the flow. Raises DraftRefusedError for an unusable
    name or area, SampleUnreadableError for the file.
    """
    match = _PRODUCT.fullmatch(product)
    if match is None:
        raise DraftRefusedError(product, "not a name for a new product.", "Write silver.<name>.")
    if area not in AREAS:
        raise DraftRefusedError(product, f"unknown area {area!r}.", f"One of: {', '.join(AREAS)}.")
    read = read_sample(sample)
    profiles = profile(read)
    names = column_names(read.columns)
    columns = tuple(
        DraftColumn(name, p, _known(standards, match[1], name, p))
        for name, p in zip(names, profiles, strict=True)
    )
    by_source = dict(zip(read.columns, names, strict=True))
    return Draft(
        product=product,
        area=area,
        flow=AREAS[area],
        sample=read,
        columns=columns,
        key=tuple(by_source[c] for c in find_key(read, profiles)),
        file_pattern=file_pattern(sample.name),
    )


def write_draft(drafted: Draft, root: Path) -> tuple[str, ...]:
    """Write a draft's files and its compiled suite below ``root``; return their paths.

    Raises DraftRefusedError, before anything is written, when one of them exists.
    """
    from contracts.catalogue import load_catalogue
    from contracts.compile.suite import suite_json

    files = drafted.files()
    suite = f"quality/suites/silver/{drafted.name}.json"
    for path in (*files, suite):
        if (root / path).exists():
            raise DraftRefusedError(
                drafted.product, f"{path} exists already.", "Take another name, or remove it."
            )
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    catalogue = load_catalogue(root / "contracts")
    (root / suite).parent.mkdir(parents=True, exist_ok=True)
    (root / suite).write_text(suite_json(catalogue[drafted.product], catalogue), encoding="utf-8")
    return (*files, suite)


def column_names(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Make column names of a file's field names: snake case, unique, never empty.

    >>> column_names(("Close Price", "lastPx", "收盘价", "close-price"))
    ('close_price', 'last_px', 'column_3', 'close_price_4')
    """
    names: list[str] = []
    for position, source in enumerate(sources, start=1):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", source)
        name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
        if not name or not name[0].isalpha():
            name = f"column_{position}"
        names.append(f"{name}_{position}" if name in names else name)
    return tuple(names)


def file_pattern(name: str) -> str:
    """Turn a sample's file name into a format's pattern: its date becomes the group ``date``.

    >>> file_pattern("spot_20260105.csv.gz")
    'spot_(?P<date>\\\\d{8})(\\\\.c\\\\d+)?\\\\.csv(\\\\.gz)?'
    """
    stem, _, suffix = name.removesuffix(".gz").rpartition(".")
    escaped = re.sub(r"[.^$*+?{}\[\]\\|()]", r"\\\g<0>", stem)
    dated = _DATE.sub(r"(?P<date>\\d{8})", escaped, count=1)
    return rf"{dated}(\.c\d+)?\.{suffix}(\.gz)?"


def _known(standards: Standards, table: str, name: str, found: Profile) -> FieldDefinition | None:
    """Return the dictionary's entry when the sample's values can be what it means."""
    known = standards.field(table, name)
    if known is None or not fits(found.type, known.type):
        return None
    return known


def fits(found: str, wanted: str) -> bool:
    """Say whether values that look like one type can be stored as another.

    >>> fits("bigint", "decimal(18,4)"), fits("string", "bigint"), fits("date", "string")
    (True, False, True)
    """
    if wanted == "string" or found == wanted:
        return True
    if found == "bigint":
        return wanted.startswith(("decimal", "int", "boolean"))
    return found.startswith("decimal") and wanted.startswith("decimal")
