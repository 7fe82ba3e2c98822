"""The changes that an audience's published file announces."""

from __future__ import annotations

from datetime import date

from catalog.audience import pick, products_of
from catalog.changes import Change, carried
from catalog.masking import mask_plan
from catalog.publish import published_path
from catalog.query import open_published
from contracts.catalogue import Catalogue
from pipelines.engine.calendar import BEIJING
from pipelines.engine.settings import Settings


def restated(
    settings: Settings,
    catalogue: Catalogue,
    audience: str,
    since: date,
    product: str | None = None,
) -> tuple[Change, ...]:
    """Changes published on a Beijing date or later, newest first, of one product or all.

    Raises UnknownAudienceError, UnknownProductError, NotPublishedError.
    """
    reader = pick(catalogue.audiences, audience)
    if product is not None:
        catalogue[product]
    plans = {c.product: mask_plan(c, reader) for c in products_of(reader, catalogue.contracts)}
    connection = open_published(published_path(settings, audience), audience)
    try:
        row = connection.execute("SELECT current_database()").fetchone()
        assert row is not None
        found = carried(connection, plans, f'"{row[0]}"')
    finally:
        connection.close()
    return tuple(
        change
        for change in reversed(found)
        if change.published_at.astimezone(BEIJING).date() >= since
        and product in (None, change.product)
    )
