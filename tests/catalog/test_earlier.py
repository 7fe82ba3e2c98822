"""Yesterday's figure can be asked for again: the last publications stay openable by id."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest

from catalog.earlier import KEPT, UnknownPublicationError, edition_path, kept
from catalog.keys import rotate_key
from catalog.publish import publish, published_path
from catalog.query import run_query
from tests.catalog.catalog_cases import DAY2, NOW, TinyLake, trades

LOTS = f"SELECT min(lots) FROM silver.trade WHERE trade_date = DATE '{DAY2}'"


def restated(lake: TinyLake, lots: int, audience: str = "surveillance") -> str:
    """Publish the second day with other lots; returns the publication's id."""
    lake.write("silver.trade", trades(DAY2, lots=lots), DAY2)
    moment = NOW + timedelta(minutes=lots)
    [done] = publish(lake.settings, lake.catalogue, audience, now=moment)
    return done.publication_id


def test_an_earlier_publication_gives_the_figure_of_its_day(lake: TinyLake) -> None:
    """The last ten are there, read-only, older ones are gone, and today's is one file twice."""
    ids = [restated(lake, lots) for lots in range(1, KEPT + 3)]
    assert list(kept(lake.settings, "surveillance")) == ids[-KEPT:]
    for lots, publication in list(enumerate(ids, 1))[2:]:
        answer = run_query(
            lake.settings, lake.catalogue, LOTS, audience="surveillance", publication=publication
        )
        assert (answer.rows, answer.publication_id) == (((lots,),), publication)
    newest = edition_path(lake.settings, "surveillance", ids[-1])
    assert stat.S_IMODE(newest.stat().st_mode) == 0o444
    assert newest.samefile(published_path(lake.settings, "surveillance")), "no second copy"
    with pytest.raises(UnknownPublicationError, match="exlake publications"):
        edition_path(lake.settings, "surveillance", ids[0])


def test_what_may_no_longer_be_seen_is_not_kept(lake: TinyLake) -> None:
    """Invariant 9: after a new mask key no edition under the old one is left."""
    old = restated(lake, 1, "analyst")
    assert kept(lake.settings, "analyst") == (old,)
    rotate_key(lake.settings.secrets, "analyst")
    assert kept(lake.settings, "analyst") == (old,)
    new = restated(lake, 2, "analyst")
    assert kept(lake.settings, "analyst") == (new,)


def test_a_publisher_killed_before_keeping_loses_no_edition(lake: TinyLake) -> None:
    """The file that stands is kept before it is replaced, whatever happened after its swap."""
    first = restated(lake, 1)
    edition_path(lake.settings, "surveillance", first).unlink()
    second = restated(lake, 2)
    assert kept(lake.settings, "surveillance") == (first, second)
