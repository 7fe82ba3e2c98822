"""Open the lake of this process's settings. Nothing here starts Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from pipelines.engine.run import Lake
    from pipelines.engine.settings import Settings


def open_lake() -> Lake:
    """Settings, contracts, graph and ledgers; raises SettingsError, LakeFormatError, GraphError."""
    from pipelines.engine.lake_format import check_format, check_tables
    from pipelines.engine.run import open_lake as opened
    from pipelines.engine.settings import load_settings

    settings = load_settings()
    check_format(settings.home)
    check_tables(settings)
    return opened(settings)


def open_catalogue() -> tuple[Settings, Catalogue]:
    """Settings and contracts only, for commands that don't need the graph."""
    from contracts.catalogue import load_catalogue
    from pipelines.engine.lake_format import check_format, check_tables
    from pipelines.engine.settings import load_settings

    settings = load_settings()
    check_format(settings.home)
    check_tables(settings)
    return settings, load_catalogue(settings.contracts_dir)
