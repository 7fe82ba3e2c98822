"""Addresses at which deliveries are published, as effective-dated data.

``contracts/standards/addresses.yaml`` says which dataset is at which address for which trade dates.
Only https is allowed, and the host must be among the allowed ones: an address is a promise of who
is asked, and nobody else ever is.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.yaml_text import Reader, read_yaml

FILE = Path(__file__).with_name("standards") / "addresses.yaml"
DATE = "{date}"


class Address(BaseModel):
    """One address of one dataset; ``url`` and ``file`` hold ``{date}`` (YYYYMMDD) once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    url: str
    file: Annotated[str, Field(pattern=r"^[\w.{}-]+$")]
    hosts: Annotated[tuple[str, ...], Field(min_length=1)]
    valid_from: date
    valid_to: date | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or parts.hostname not in self.hosts or parts.username:
            raise ValueError("url must be https, without a user, at one of hosts")
        if self.url.count(DATE) != 1 or self.file.count(DATE) != 1:
            raise ValueError("url and file must hold {date} once")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be later than valid_from")
        return self

    def holds(self, day: date) -> bool:
        """True from ``valid_from`` until the day before ``valid_to``."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def url_of(self, day: date) -> str:
        """The address of one trade date's file."""
        return self.url.replace(DATE, f"{day:%Y%m%d}")

    def file_of(self, day: date) -> str:
        """The name under which that file is landed."""
        return self.file.replace(DATE, f"{day:%Y%m%d}")


def load_addresses(file: Path = FILE) -> tuple[Address, ...]:
    """Every address. Raises ContractInvalidError with file, path and mend."""
    reader = Reader(file)
    body = reader.only(read_yaml(file), (), frozenset({"addresses"}))
    found = []
    for place, entry in enumerate(reader.items(body.get("addresses"), ("addresses",))):
        try:
            found.append(Address.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            path = ("addresses", place, *first["loc"])
            raise reader.refuse(path, first["msg"], "See the comment at its head.") from None
    return tuple(found)
