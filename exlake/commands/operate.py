"""Commands for the operator: demo, up, down, doctor, maintain, backup, restore, upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exlake.commands.look import Products
from exlake.printing import AsJson, listing

if TYPE_CHECKING:
    from pipelines.engine.backup import Backup


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (demo, up, down, doctor, maintain, backup, backups, restore, upgrade):
        app.command()(command)
    app.command("demo-real")(demo_real)


def demo(
    scale: Annotated[str, typer.Option(help="tiny, small, medium or exchange.")] = "small",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
) -> None:
    """Simulate three trade dates, run the DAGs over them, publish, and show the outcome."""
    from exlake.demo import run_demo

    run_demo(scale, seed)


def demo_real(
    data: Annotated[Path, typer.Option("--data", help="A folder with some of the real files.")],
) -> None:
    """Land real files and run the same DAGs, contracts and gate over them (in ./lake-real)."""
    from exlake.demo_real import run_demo_real

    run_demo_real(data)


def up() -> None:
    """Start Airflow on 127.0.0.1, wait until it is healthy, and print its address."""
    from exlake.standalone import start
    from pipelines.engine.settings import load_settings

    typer.echo(start(load_settings(), say=typer.echo))


def down() -> None:
    """Stop the Airflow that `up` started, and nothing else."""
    from exlake.standalone import stop
    from pipelines.engine.settings import load_settings

    typer.echo(stop(load_settings()))


def maintain(
    product: Products = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is needed only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is past its retention and what no version needs, merge small files. No JVM."""
    from dataclasses import asdict

    from exlake.orchestration.flows import maintain_tables

    found = maintain_tables(product or None, dry_run=dry_run)
    columns = ("table", "retired", "on_hold", "compact", "small_files", "expired", "orphans",
               "bytes")  # fmt: skip
    counted = ("retired", "on_hold", "compact")
    rows = [asdict(c) | {n: len(getattr(c, n)) for n in counted} for c in found if not c.idle]
    title = "Maintenance needed" if dry_run else "Maintenance done"
    listing(rows, columns, title=title, as_json=as_json, empty="No table needs anything.")


def backup(
    target: Annotated[Path, typer.Option("--to", help="A folder outside the lake.")],
    as_json: AsJson = False,
) -> None:
    """Copy the whole lake, checked; what the backup before has unchanged is linked, not copied."""
    from datetime import UTC, datetime

    from pipelines.engine.backup import backup as back_up
    from pipelines.engine.settings import load_settings

    _listed([back_up(load_settings(), target, datetime.now(UTC))], "Backup", as_json)


def backups(
    target: Annotated[Path, typer.Option("--at", help="Where backups are kept.")],
    check: Annotated[bool, typer.Option("--verify", help="Read every file again.")] = False,
    as_json: AsJson = False,
) -> None:
    """List backups; with --verify, exit 3 at the first damaged one."""
    from pipelines.engine.backup import backups as kept
    from pipelines.engine.backup import verify

    found = kept(target)
    if check:
        for one in found:
            verify(one.path)
    _listed(found, "Backups, all sound" if check else "Backups", as_json)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="BACKUP", help="One backup's folder.")],
    home: Annotated[Path, typer.Option("--to", help="A new folder; then set EXLAKE_HOME to it.")],
    as_json: AsJson = False,
) -> None:
    """Make a lake of a backup, every file checked. Nothing is restored over what is there."""
    from pipelines.engine.backup import restore as make

    _listed([make(folder, home)], f"Restored to {home}", as_json)


def upgrade() -> None:
    """Bring a lake that an earlier program made to this program's format. Back it up first."""
    from pipelines.engine.lake_format import upgrade as bring_up
    from pipelines.engine.settings import load_settings

    settings = load_settings()
    before, after = bring_up(settings, lambda number: typer.echo(f"format {number} done"))
    done = f"has format {after}" if before == after else f"went from format {before} to {after}"
    typer.echo(f"{settings.home} {done}")


def _listed(found: Sequence[Backup], title: str, as_json: bool) -> None:
    from dataclasses import asdict

    columns = ("id", "created_at", "files", "bytes", "copied_bytes", "path")
    rows = [asdict(b) | {"path": str(b.path)} for b in found]
    listing(rows, columns, title=title, as_json=as_json, empty="There is no backup.")


def doctor(as_json: AsJson = False) -> None:
    """Check Java, jars, versions, disk, ports and folders; say how to mend each. Exit 1 if any."""
    from dataclasses import asdict

    from exlake.doctor import examine
    from pipelines.engine.settings import load_settings

    findings = examine(load_settings())
    columns = ("check", "state", "found", "mend")
    listing([asdict(f) for f in findings], columns, title="exlake doctor", as_json=as_json)
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)
