"""The command line: `exlake --help` lists everything, and nothing heavy loads before it is used.

Exit codes: 0 done; 1 done, and there is something a person should look at (blocked, held, late or
refused; lint and doctor findings; a breaking change); 2 wrong usage; 3 a terminal error; 4 a
transient error, so try again; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from contracts.errors import ExlakeError
from exlake.commands import (
    build,
    contract,
    decide,
    incidents,
    look,
    members,
    messages,
    news,
    operate,
    pages,
    serve,
    surveil,
    why,
)

FINDINGS, TERMINAL, TRANSIENT, INTERRUPTED = 1, 3, 4, 130

app = typer.Typer(
    name="exlake",
    help="A governed lakehouse for a futures exchange: contracts, gate, marts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """A governed lakehouse for a futures exchange: contracts, gate, marts."""


build.register(app)
decide.register(app, look.register(app))
serve.register(app)
surveil.register(app)
news.register(app)
members.register(app)
why.register(app)
incidents.register(app)
messages.register(app)
pages.register(app)
contract.register(app)
operate.register(app)


def main() -> None:
    """Run a command; print deliberate errors as sentences, with the next step."""
    try:
        app()
    except ExlakeError as error:
        if "--debug" in sys.argv:
            raise
        explain(error)
        sys.exit(TRANSIENT if error.transient else TERMINAL)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output (head, less) has seen enough
        sys.exit(0)


def explain(error: ExlakeError) -> None:
    """Print code, place, what happened and what to do, to standard error."""
    where = " ".join(part for part in (error.product, error.interval) if part)
    print(f"error [{error.code}] {where + ': ' if where else ''}{error.what}", file=sys.stderr)
    print(f"  next: {error.next_step}", file=sys.stderr)
    print(f"  more: docs/errors/{error.code}.md", file=sys.stderr)


if __name__ == "__main__":
    main()
