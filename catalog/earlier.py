"""Earlier publications: the last ten files of each audience stay openable by id.

A kept file is a hard link to the published one, so the newest costs nothing and an older one its
own size; where links are not possible it is a copy. What an audience may no longer see is not
kept: an edition goes as soon as a column's treatment or the mask key in it is not today's.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import TerminalError
from pipelines.engine.faults import reach
from pipelines.engine.settings import Settings

KEPT = 10


class UnknownPublicationError(TerminalError):
    """Raised when no kept publication of an audience has the id."""

    code = "unknown-publication"

    def __init__(self, audience: str, publication: str, known: tuple[str, ...]) -> None:
        self.publication, self.known = publication, known
        near = difflib.get_close_matches(publication, known, n=3) or list(known[-3:])
        super().__init__(
            f"no publication {publication!r} of {audience} is kept ({KEPT} are at most).",
            next_step=f"There are {', '.join(near) or 'none yet'}; `exlake publications` lists "
            "them.",
        )


def folder(settings: Settings, audience: str) -> Path:
    """``publish/earlier/<audience>``."""
    return settings.publish / "earlier" / audience


def kept(settings: Settings, audience: str) -> tuple[str, ...]:
    """Ids of the publications that can be opened, oldest first."""
    return tuple(sorted(p.stem for p in folder(settings, audience).glob("[!.]*.duckdb")))


def edition_path(settings: Settings, audience: str, publication: str) -> Path:
    """The file of one publication. Raises UnknownPublicationError."""
    known = kept(settings, audience)
    if publication not in known:
        raise UnknownPublicationError(audience, publication, known)
    return folder(settings, audience) / f"{publication}.duckdb"


def keep(
    settings: Settings, audience: str, publication: str, published: Path, masks: Mapping[str, str]
) -> None:
    """Keep the published file under its id, and drop what is too old or masked otherwise.

    ``masks``: product -> fingerprint of its mask plan. Each step is whole by itself: after a kill
    the next publication of the audience brings the shelf in order. The caller holds the lock.
    """
    shelf = folder(settings, audience)
    shelf.mkdir(parents=True, exist_ok=True, mode=0o750)
    for left in shelf.glob(".*"):
        left.unlink()
    file = shelf / f"{publication}.duckdb"
    if not file.exists():
        draft = shelf / f".{publication}.draft"
        try:
            os.link(published, draft)
        except OSError:  # a file system without links
            shutil.copyfile(published, draft)
            draft.chmod(0o444)
        # Masks first: an edition without them is not kept.
        file.with_suffix(".json").write_text(json.dumps(dict(masks)), encoding="utf-8")
        draft.replace(file)
        reach("edition-kept")
    editions = kept(settings, audience)
    for name in editions:
        aged = name not in editions[-KEPT:]
        if name != publication and (aged or not _same(shelf / f"{name}.json", masks)):
            # In this order: an edition without masks goes with the next publication.
            (shelf / f"{name}.json").unlink(missing_ok=True)
            reach("edition-removed")
            (shelf / f"{name}.duckdb").unlink()


def _same(sidecar: Path, masks: Mapping[str, str]) -> bool:
    """True when every product of an edition is masked as it would be today."""
    try:
        then: dict[str, str] = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all(masks.get(product) == mask for product, mask in then.items())
