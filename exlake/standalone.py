"""Airflow standalone: start it in its own process group, wait for health, stop only that."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from exlake.errors import AirflowNotHealthyError, PortTakenError
from exlake.orchestration import airflow_home

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings

HEALTHY_WITHIN = 180.0
STOP_WITHIN = 30.0
PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
PREPARE = (
    "from exlake.orchestration.airflow_home import prepare;"
    "from pipelines.engine.settings import load_settings;"
    "prepare(load_settings())"
)


def start(settings: Settings, say: Callable[[str], object]) -> str:
    """Start Airflow unless this home's one is up already; return a sentence with its address.

    Raises PortTakenError before starting anything, AirflowNotHealthyError after stopping what
    did not become healthy within three minutes.
    """
    url = f"http://{airflow_home.HOST}:{settings.airflow_port}"
    if _running(settings) is not None:
        return f"Airflow is running already: {url}"
    if _listening(settings.airflow_port):
        raise PortTakenError(settings.airflow_port)
    settings.airflow.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = os.environ | airflow_home.environment(settings)
    environment["PATH"] = f"{_local_only(settings)}{os.pathsep}{environment['PATH']}"
    log = settings.airflow / "standalone.log"
    with log.open("ab") as output:
        say("preparing Airflow's database")
        subprocess.run(
            [sys.executable, "-c", PREPARE],
            env=environment, stdout=output, stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip
        say("starting Airflow (scheduler, DAG processor, triggerer, API)")
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "airflow"), "standalone"],
            env=environment, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True, cwd=airflow_home.ROOT,
        )  # fmt: skip
    _pid_file(settings).write_text(f"{process.pid} {_born(process.pid)}")
    began = time.monotonic()
    while time.monotonic() - began < HEALTHY_WITHIN:
        if process.poll() is not None:
            break
        if _healthy(url):
            took = time.monotonic() - began
            return f"Airflow is up at {url} (healthy after {took:.0f} s; log: {log})"
        time.sleep(1)
    stop(settings)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise AirflowNotHealthyError(time.monotonic() - began, str(log), tail)


def stop(settings: Settings) -> str:
    """Stop the process group that ``start`` made for this home, and nothing else."""
    pid = _running(settings)
    note = _pid_file(settings)
    if pid is None:
        note.unlink(missing_ok=True)
        return "Airflow was not running."
    os.killpg(pid, signal.SIGTERM)
    began = time.monotonic()
    while _members(pid) and time.monotonic() - began < STOP_WITHIN:
        _reap(pid)
        time.sleep(0.2)
    if _members(pid):
        os.killpg(pid, signal.SIGKILL)
    note.unlink(missing_ok=True)
    return "Airflow is stopped."


def _local_only(settings: Settings) -> Path:
    """A folder whose ``airflow`` starts the parts without their log servers.

    Those listen on every interface (the address is fixed in Airflow's code) and are not needed
    on one machine: the API reads the log files themselves.
    """
    folder = settings.airflow / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "airflow"
    script.write_text(
        "#!/bin/sh\n"
        'case "$1" in scheduler|triggerer) set -- "$@" --skip-serve-logs;; esac\n'
        f'exec "{Path(sys.executable).parent / "airflow"}" "$@"\n'
    )
    script.chmod(0o700)
    return folder


def _pid_file(settings: Settings) -> Path:
    return settings.airflow / "standalone.pid"


def _running(settings: Settings) -> int | None:
    """The pid of this home's Airflow; a pid that another process has got by now doesn't count."""
    try:
        pid, born = _pid_file(settings).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _born(int(pid)) == born else None


def _born(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty text when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _born(int(entry.name)):
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def _reap(pid: int) -> None:
    """Collect the process if it is our own child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((airflow_home.HOST, port)) == 0


def _healthy(url: str) -> bool:
    """True when every part of Airflow reports health (a local address, so no proxy is asked)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/v2/monitor/health", timeout=3) as answer:
            report = json.load(answer)
    except (OSError, ValueError):
        return False
    return all((report.get(part) or {}).get("status") == "healthy" for part in PARTS)
