"""Processes that are killed: one that forks a child per order, one that stays and heals.

``python -m tests.pipelines.engine.killing fork|stay`` reads orders as JSON lines and answers each
with one line. ``fork`` has everything imported and no JVM, so a child is a process of its own for
the price of its JVM, and dies at the fault it was given. ``stay`` works in one process whose JVM
is started once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.errors import ExlakeError
from pipelines.engine.faults import VARIABLE
from tests.pipelines.engine.small_lake import (
    CLIENTS,
    D1,
    D2,
    NOW,
    SmallLake,
    orders,
    settled,
)

EVERYTHING = ("land", "run", "lineage", "publish", "maintain")
AUDIENCE = "analyst"
SERVED = ("silver.order", "gold.order_day")


@dataclass(frozen=True)
class Order:
    """What a process is to do to the lake at ``home``.

    ``fault``: a named point (``committed:2``), ``committing:20`` (SIGKILL so many milliseconds
    after the commit began, while the JVM is at it), ``lose-jvm`` (only the JVM is killed, once),
    ``sleep-locked`` (hold the run lock until killed) or nothing. ``clock``: days added to now.
    """

    home: str
    what: tuple[str, ...] = EVERYTHING
    fault: str = ""
    clock: int = 0
    expire: bool = False
    file_limit: int = 0
    """RLIMIT_FSIZE in bytes: what a full disk looks like where none can be made."""
    storage: Mapping[str, str] = field(default_factory=dict)
    """The settings that say where the tables are; none: in the home."""
    commit: str = "auto"


def lake_at(home: Path | str, storage: Mapping[str, str] | None = None) -> SmallLake:
    """The small lake with two products that are published to an audience."""
    lake = replace(SmallLake.at(Path(home)), storage=storage or {})
    for product in SERVED:
        contract = lake.catalogue[product].model_copy(update={"audiences": (AUDIENCE,)})
        lake = lake.with_contract(contract)
    return lake


def drop(lake: SmallLake, number: int) -> None:
    """Leave the next group of files in the inbox; there is no end of them.

    Two days (the first full of dirty rows), a correction, a day that is blocked and one that
    frees it, a client's change of level, then corrections that go back and forth.
    """
    if number in (1, 2):
        day = (D1, D2)[number - 1]
        lake.drop("client", day, CLIENTS[day])
        lake.drop("settle", day, settled(day))
        lake.drop("order", day, orders(day))
    elif number == 3:
        lake.drop("order", D1, _priced("10.00"), sequence=2, mode="correction")
    elif number == 4:
        wrong = ("o03", "p1", "c1", "B", "-1.00", 90, f"{D2} 09:00:00", "", "20260106")
        lake.drop("order", D2, [*orders(D2), wrong], sequence=2)
    elif number == 5:
        lake.drop("order", D2, orders(D2), sequence=3)
    elif number == 6:
        lake.drop("client", "2026-01-07", [("c1", 3, "U", D2.replace("-", ""))])
    else:
        price = "-2.00" if number % 2 else "10.00"
        lake.drop("order", D1, _priced(price), sequence=number - 4, mode="correction")


def _priced(price: str) -> list[tuple[Any, ...]]:
    return [row for row in orders(D1, o03=price) if row[0] == "o03"]


def work(order: Order) -> None:
    """Do it in this process; raises what broke."""
    lake = replace(lake_at(order.home, order.storage), commit=order.commit)
    moment = NOW + timedelta(days=order.clock)
    _arm(order.fault)
    if order.file_limit:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.file_limit, order.file_limit))
    steps: dict[str, Any] = {
        "land": _land, "run": _run, "force": _force, "lineage": _lineage, "publish": _publish,
        "maintain": _maintain, "hold": _hold,
    }  # fmt: skip
    for step in order.what:
        steps[step](lake, moment, order)


def _land(lake: SmallLake, moment: datetime, order: Order) -> None:
    from pipelines.sources.landing import land

    land(lake.lake.settings, lake.catalogue, now=lambda: moment)


def _run(lake: SmallLake, moment: datetime, order: Order, **how: Any) -> None:
    from pipelines.engine.run import Event, run

    lost: list[int] = []

    def lose(event: Event) -> None:
        if order.fault == "lose-jvm" and event.kind == "begin" and not lost:
            from pyspark import SparkContext

            assert SparkContext._gateway is not None
            lost.append(SparkContext._gateway.proc.pid)
            os.kill(lost[0], signal.SIGKILL)

    opened = lake.lake
    summary = run(opened.settings, lake=opened, now=lambda: moment, on_progress=lose, **how)
    for failure in summary.failures:
        raise failure.error


def _force(lake: SmallLake, moment: datetime, order: Order) -> None:
    _run(lake, moment, order, force=True)


def _lineage(lake: SmallLake, moment: datetime, order: Order) -> None:
    from catalog.lineage import bring_up_to_date

    bring_up_to_date(lake.lake.settings, lake.catalogue)


def _publish(lake: SmallLake, moment: datetime, order: Order) -> None:
    from catalog.publish import publish

    publish(lake.lake.settings, lake.catalogue, now=moment)


def _maintain(lake: SmallLake, moment: datetime, order: Order) -> None:
    from pipelines.engine.maintenance import maintain

    settings = lake.lake.settings
    if order.expire:
        settings = settings.model_copy(update={"retention_hours": 0})
    maintain(settings, [c.product for c in lake.catalogue.contracts.values()])


def _hold(lake: SmallLake, moment: datetime, order: Order) -> None:
    from pipelines.engine.locks import lock_path, locked

    with locked(lock_path(lake.lake.settings.locks, "run")):
        os.kill(os.getpid(), signal.SIGKILL)


def _arm(fault: str) -> None:
    """Make this process die at the fault."""
    os.environ.pop(VARIABLE, None)
    if fault.startswith("committing:"):
        from pipelines.engine.held import TransactionWrite

        whole = TransactionWrite.commit
        pause = int(fault.split(":")[1]) / 1000

        def commit(self: TransactionWrite, *args: Any) -> int | None:
            threading.Timer(pause, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return whole(self, *args)

        TransactionWrite.commit = commit  # type: ignore[method-assign]  # of this process alone
    elif fault and fault != "lose-jvm":
        os.environ[VARIABLE] = fault


def _answer(status: int, seconds: float, said: str = "") -> None:
    print(json.dumps({"status": status, "seconds": round(seconds, 2), "said": said}), flush=True)


def _fork(order: Order, log: Path) -> None:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(out, 1)
            os.dup2(out, 2)
            code = _done(order)[0]
            sys.stderr.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    said = "" if os.WIFSIGNALED(status) else log.read_text(errors="replace")[-1500:]
    _answer(os.waitstatus_to_exitcode(status), time.monotonic() - began, said)


def _done(order: Order) -> tuple[int, str]:
    """0 done, 4 transient, 3 terminal, 1 anything else; and what was said."""
    try:
        work(order)
    except ExlakeError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return (4 if error.transient else 3), f"{error.code}: {error}"
    except Exception as error:
        import traceback

        traceback.print_exc()
        return 1, f"{type(error).__name__}: {error}"
    return 0, ""


def main(kind: str, log: str) -> None:
    """Serve orders until the input ends."""
    from importlib import import_module

    from quality.gx import warm

    for name in ("pyspark.sql", "catalog.publish", "catalog.lineage", "pipelines.engine.rejudge"):
        import_module(name)  # once, for every child
    warm()
    _answer(0, 0.0, "ready")
    for line in sys.stdin:
        body = json.loads(line)
        order = replace(Order(**body), what=tuple(body.get("what", EVERYTHING)))
        if kind == "fork":
            _fork(order, Path(log))
        else:
            began = time.monotonic()
            with contextlib.redirect_stdout(sys.stderr):
                status, said = _done(order)
            _answer(status, time.monotonic() - began, said)


if __name__ == "__main__":
    main(*sys.argv[1:])
