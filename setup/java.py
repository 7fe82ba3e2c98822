"""Find a Java 17 or 21 runtime, or install one with apt when that is possible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

VERSIONS = (17, 21)


class JavaError(Exception):
    """No suitable Java, and it could not be installed; the text says what to do."""


def candidates() -> Iterator[Path]:
    """Every ``java`` worth asking: JAVA_HOME's, the PATH's, then Debian's folders."""
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    for version in VERSIONS:
        yield from sorted(Path("/usr/lib/jvm").glob(f"*{version}*/bin/java"))


def major(java: Path) -> int | None:
    """The major version a ``java`` reports (17 of ``17.0.15``), None when it does not run."""
    try:
        outcome = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', outcome.stderr + outcome.stdout)
    return int(found.group(1)) if found else None


def find() -> Path | None:
    """The first ``java`` of a supported version, None when there is none."""
    return next((java for java in candidates() if major(java) in VERSIONS), None)


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages quietly; False when apt refuses (unknown package, no network)."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for attempt in (command, ["apt-get", "update", "-qq"], command):
        done = subprocess.run(attempt, env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode == 0 and attempt is command:
            return True
    return False


def install(say: Callable[[str], None]) -> Path:
    """Install a headless JRE with apt (17, or 21 where 17 is absent) and return its ``java``."""
    names = [f"openjdk-{version}-jre-headless" for version in VERSIONS]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise JavaError(
            f"Java 17 or 21 is missing and this account cannot install it. Next: as root, "
            f"'apt-get install {names[0]}' (or {names[1]}), or set JAVA_HOME to a JDK 17 or 21 "
            f"and run make setup again."
        )
    for name in names:
        say(f"installing {name} with apt")
        if apt_install([name]) and (found := find()):
            return found
    raise JavaError(
        f"apt could not install {' or '.join(names)}. Next: install a JDK 17 or 21 by hand, "
        f"set JAVA_HOME to it and run make setup again."
    )
