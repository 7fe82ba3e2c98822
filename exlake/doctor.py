"""Examine the machine: what the platform needs, what was found, and how to mend it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from contracts.errors import ExlakeError
from pipelines.engine.jvm import noted_java_home
from pipelines.engine.lake_format import check_tables
from pipelines.engine.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
JAVA = (17, 21)
EXACT = {
    "pyspark": "4.2.0",
    "delta-spark": "4.4.0",
    "great-expectations": "1.24.1",
    "apache-airflow": "3.3.2",
    "duckdb": "1.5.5",
    "deltalake": "1.6.6",
}
NEEDED_GB = 2.0
WANTED_MEMORY_GB = 4.0


@dataclass(frozen=True)
class Finding:
    """One check: ``ok``, ``warning`` (it will run, but) or ``broken``, and how to mend it."""

    check: str
    state: Literal["ok", "warning", "broken"]
    found: str
    mend: str = ""


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Every check, in the order in which things have to be mended."""
    return (
        _python(),
        _java(),
        *_versions(),
        *_jars(settings),
        *_tables(settings),
        _writable(settings.home),
        _disk(settings.home),
        _memory(),
        _port(settings.airflow_port),
        _fonts(),
    )


def _python() -> Finding:
    text = sys.version.split()[0]
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", "ok", text)
    return Finding("python", "broken", text, "use Python 3.11 to 3.13: PYTHON=... make setup")


def _java() -> Finding:
    home = os.environ.get("JAVA_HOME") or noted_java_home()
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    mend = "as root: apt-get install openjdk-17-jre-headless; or set JAVA_HOME to a JDK 17 or 21"
    if not java or not Path(java).exists():
        return Finding("java", "broken", "none", mend)
    out = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "((\d+)[^"]*)"', out.stderr + out.stdout)
    if not found or int(found.group(2)) not in JAVA:
        return Finding("java", "broken", found.group(1) if found else java, mend)
    return Finding("java", "ok", found.group(1))


def _versions() -> Iterator[Finding]:
    for package, wanted in EXACT.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "not installed"
        if found == wanted:
            yield Finding(package, "ok", found)
        else:
            yield Finding(package, "broken", f"{found}, not {wanted}", "make setup")


def _jars(settings: Settings) -> Iterator[Finding]:
    for jar in json.loads((ROOT / "setup" / "jars.json").read_text()):
        yield _jar(jar, settings.jars, "make setup")


def _jar(jar: dict[str, str], folder: Path, mend: str) -> Finding:
    name = f"{jar['artifact']}-{jar['version']}.jar"
    path = folder / name
    if not path.exists():
        return Finding(name, "broken", f"not in {folder}", mend)
    if hashlib.sha256(path.read_bytes()).hexdigest() != jar["sha256"]:
        return Finding(name, "broken", "wrong SHA-256", f"delete {path}, then {mend}")
    return Finding(name, "ok", "checksum verified")


def _tables(settings: Settings) -> Iterator[Finding]:
    """Where the tables are, when that is not the home: the jars for it, and whether it answers."""
    storage = settings.storage
    if storage.root is None:
        return
    if (jar_set := storage.jar_set) is not None:
        locked = json.loads((ROOT / "setup" / f"jars-{jar_set}.json").read_text())
        mend = f"make setup-{jar_set}"
        wrong = [f for j in locked if (f := _jar(j, settings.jars / jar_set, mend)).state != "ok"]
        yield from wrong[:1]
        if not wrong:
            yield Finding(f"{jar_set} jars", "ok", f"{len(locked)} checksums verified")
    try:
        storage.check()
        check_tables(settings)
    except ExlakeError as error:
        yield Finding("tables", "broken", error.what, error.next_step)
    else:
        yield Finding("tables", "ok", f"{storage.root} answers")


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def _writable(home: Path) -> Finding:
    place = _existing(home)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding("lake", "ok", str(home))
    return Finding(
        "lake", "broken", f"{place} is not writable", "set EXLAKE_HOME to a folder of yours"
    )


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(_existing(home)).free / 1e9
    if free >= NEEDED_GB:
        return Finding("disk", "ok", f"{free:.0f} GB free")
    return Finding("disk", "broken", f"{free:.1f} GB free", f"free at least {NEEDED_GB:.0f} GB")


def _memory() -> Finding:
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if have >= WANTED_MEMORY_GB:
        return Finding("memory", "ok", f"{have:.0f} GB")
    return Finding("memory", "warning", f"{have:.1f} GB", "set EXLAKE_DRIVER_MEMORY=1g")


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if not taken:
        return Finding("port", "ok", f"{port} is free")
    mend = "fine if `make up` is running; else set EXLAKE_AIRFLOW_PORT to a free port"
    return Finding("port", "warning", f"{port} is in use", mend)


def _fonts() -> Finding:
    if shutil.which("chromium"):
        return Finding("browser", "ok", "chromium (page tests run)")
    return Finding("browser", "warning", "no chromium: page tests are skipped",
                   "as root: apt-get install chromium fonts-noto-cjk")  # fmt: skip
