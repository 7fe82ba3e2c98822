"""Writing an export: the right format, a new file or none, and a line in the ledger before it."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog.export.sheet import ExportRefusedError, Sheet
from catalog.export.text import write_about, write_csv
from catalog.export.workbook import write_workbook
from pipelines.engine.ledgers import EXPORT, Ledgers
from pipelines.engine.rows import ExportRow
from pipelines.engine.settings import Settings

Writer = Callable[[Sheet, Path], tuple[int, tuple[str, ...]]]
PRIVATE = 0o600
"""An export is for the person who asked; passing it on is a decision of theirs."""


@dataclass(frozen=True)
class Exported:
    """A written export; ``notes`` say where the file differs from the answer."""

    file: Path
    rows: int
    bytes: int
    notes: tuple[str, ...]


def person() -> str:
    """The operating system's user, whom the ledger names."""
    return getpass.getuser()


def check_target(settings: Settings, file: Path, overwrite: bool) -> Path:
    """The file's full path; raises ExportRefusedError before anything is asked."""
    if file.suffix.lower() not in WRITERS:
        raise ExportRefusedError(
            file, f"{file.suffix or 'no ending'} is no format of ours",
            f"name it {', '.join(file.stem + suffix for suffix in WRITERS)}.",
        )  # fmt: skip
    target = Path(os.path.abspath(file))  # noqa: PTH100 - resolve() would follow a link at the end
    folder = target.parent.resolve()
    if not folder.is_dir():
        raise ExportRefusedError(file, f"there is no folder {folder}", "make it first.")
    if folder.is_relative_to(settings.home.resolve()):
        raise ExportRefusedError(file, "it lies inside the lake", "choose a place outside of it.")
    target = folder / target.name
    for each in (target, _beside(target)) if target.suffix.lower() == ".csv" else (target,):
        if each.is_dir() or ((each.exists() or each.is_symlink()) and not overwrite):
            raise ExportRefusedError(
                file, f"{each.name} is there already", "choose another name, or add --overwrite."
            )
    return target


def write_export(settings: Settings, sheet: Sheet, file: Path, *, overwrite: bool) -> Exported:
    """Write a sheet to ``file``: whole or not at all, and only after the ledger knows of it.

    The ending chooses the format. Raises ExportRefusedError; what was there stays as it was.
    """
    import pyarrow as pa

    target = check_target(settings, file, overwrite)
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    beside = _beside(draft)
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        try:
            rows, notes = WRITERS[target.suffix.lower()](sheet, draft)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            hint = "cast the column in the query, such as CAST(x AS VARCHAR)."
            raise ExportRefusedError(file, str(error).splitlines()[0], hint) from None
        except ExportRefusedError as error:
            raise ExportRefusedError(file, error.reason, error.next_step) from None
        draft.chmod(PRIVATE)
        about = sheet.about
        record = ExportRow(
            person=about.person, audience=about.audience, query=about.query, rows=rows,
            file=str(target), bytes=draft.stat().st_size, sha256=_digest(draft),
            publication_id=about.publication_id, state=about.state, at=about.exported_at,
        )  # fmt: skip
        Ledgers(settings.ops, settings.locks, settings.lock_wait_seconds).append((EXPORT, [record]))
        if target.suffix.lower() == ".csv":
            write_about(sheet, beside, rows, notes)
            beside.chmod(PRIVATE)
            _place(beside, _beside(target), overwrite)
        _place(draft, target, overwrite)
    finally:
        draft.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
    return Exported(target, rows, record.bytes, notes)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.about.json")


def _place(draft: Path, target: Path, overwrite: bool) -> None:
    """Give a finished file its name; one that came in between is not replaced unasked."""
    if overwrite:
        draft.replace(target)
        return
    try:
        os.link(draft, target)
    except FileExistsError:
        hint = "choose another name, or add --overwrite."
        raise ExportRefusedError(target, f"{target.name} is there already", hint) from None
    except OSError:  # a file system without links
        draft.replace(target)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_parquet(sheet: Sheet, draft: Path) -> tuple[int, tuple[str, ...]]:
    """Write Parquet; the origin is in the file's own metadata, key ``exlake``."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(str(draft), sheet.schema, compression="zstd") as writer:
        for batch in sheet.batches:
            writer.write_batch(batch)
            rows += batch.num_rows
        said = {en: value for _, en, value in sheet.about.lines(rows)}
        writer.add_key_value_metadata({"exlake": json.dumps(said, ensure_ascii=False)})
    return rows, ()


WRITERS: dict[str, Writer] = {".xlsx": write_workbook, ".csv": write_csv, ".parquet": write_parquet}
