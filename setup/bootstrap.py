"""Set up everything exlake needs, from the standard library alone.

Makes ``.venv`` from the hashed lock, finds or installs a JDK (17 or 21), fetches the two Delta
jars and the chart library by locked checksum, and trains the JVM's archive of classes; with
``--with SET``, also the jars of that set (``s3``: tables in object storage; ``s3proxy``: a local S3
endpoint for its tests). Running it again when all is in place only checks: under a second, no
network. Exit code 0: ready; 1: something a person must do.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jars
import java

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".exlake-setup"
JAVA_NOTE = VENV / ".java-home"
DOWNLOAD_MB = 800
DISK_MB = 3200


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


def say(text: str) -> None:
    """Print one line of progress at once, also into a pipe."""
    print(f"[setup] {text}", flush=True)


def fingerprint() -> str:
    """Digest of what the environment is made from: lock, Python version, where the project is."""
    return hashlib.sha256(f"{sys.version}\n{ROOT}\n{LOCK.read_text()}".encode()).hexdigest()


def run(command: list[str], **environment: str) -> None:
    """Run a command with its output shown; raise SetupError when it fails."""
    outcome = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)
    if outcome.returncode != 0:
        raise SetupError(f"'{' '.join(command[:4])} ...' failed with code {outcome.returncode}.")


def announce(parts: list[str], first: bool) -> None:
    """Say what will be fetched and that the disk has room for it."""
    free_mb = shutil.disk_usage(ROOT).free // 1_000_000
    say(f"needed: {', '.join(parts)}")
    if not first:
        return
    say(
        f"about {DOWNLOAD_MB / 1000:.1f} GB to download and {DISK_MB / 1000:.0f} GB of disk for a "
        f"first set-up; {free_mb / 1000:.0f} GB are free in {ROOT}"
    )
    if free_mb < DISK_MB:
        raise SetupError(f"Only {free_mb} MB are free. Free at least {DISK_MB} MB and run again.")


def make_venv() -> None:
    """Create ``.venv``; on Debian without python3-venv, install that first when root."""
    if (VENV / "bin" / "pip").exists() and venv_version() == sys.version_info[:2]:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    create = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.run(create, check=False, capture_output=True).returncode == 0:
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"Python cannot make environments. As root: apt-get install {package}")
    say(f"installing {package}")
    java.apt_install([package])
    run(create)


def venv_version() -> tuple[int, ...] | None:
    """The (major, minor) of the environment's interpreter, None when it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    python = VENV / "bin" / "python"
    if not python.exists():
        return None
    outcome = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in outcome.stdout.split()) or None


def note_java(java: Path) -> None:
    """Write down which JDK was found: the first ``java`` on PATH may be another version."""
    home = str(java.resolve().parent.parent)
    if VENV.exists() and (not JAVA_NOTE.exists() or JAVA_NOTE.read_text() != home):
        JAVA_NOTE.write_text(home)


def lock_block(name: str) -> str:
    """The lines of one package in the lock, hashes included."""
    lines = LOCK.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next((i for i in range(start + 1, len(lines)) if lines[i][:1] not in (" ", "#")), None)
    return "\n".join(lines[start:end]) + "\n"


def install_packages() -> None:
    """Install the hashed lock with uv (itself from the lock), then the project, editable."""
    python = str(VENV / "bin" / "python")
    only_uv = VENV / "uv.lock.txt"
    only_uv.write_text(lock_block("uv"))
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    say("installing uv from the lock")
    run([*pip, "--require-hashes", "--no-deps", "-r", str(only_uv)])
    uv = str(VENV / "bin" / "uv")
    environment = {"VIRTUAL_ENV": str(VENV)}
    if "PIP_INDEX_URL" in os.environ and "UV_DEFAULT_INDEX" not in os.environ:
        environment["UV_DEFAULT_INDEX"] = os.environ["PIP_INDEX_URL"]
    environment.setdefault("UV_HTTP_TIMEOUT", os.environ.get("UV_HTTP_TIMEOUT", "180"))
    say("installing the locked packages")
    try:
        run([uv, "pip", "sync", "--require-hashes", str(LOCK)], **environment)
    except SetupError:
        say("uv could not; trying pip")
        run([*pip, "--require-hashes", "--no-deps", "-r", str(LOCK)])
    say("installing exlake itself, editable")
    editable = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    run([uv, "pip", "install", "--quiet", "--offline", *editable], **environment)


def train_archive() -> None:
    """Let the JVM keep the classes that every run loads: later starts take half as long.

    An archive is a convenience: without one, everything works as before.
    """
    say("training the class-data archive of the JVM (half a minute, 0.2 GB)")
    command = [str(VENV / "bin" / "python"), "-m", "pipelines.engine.jvm"]
    outcome = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if outcome.returncode != 0:
        last = (outcome.stderr.strip().splitlines() or ["no message"])[-1]
        say(f"no archive ({last}); sessions start without it")


def main(arguments: Sequence[str] = ()) -> int:
    """Bring the machine to the wanted state, saying what is done and how long it took."""
    parser = argparse.ArgumentParser(description="Set up what exlake needs.")
    parser.add_argument(
        "--with", dest="more", action="append", default=[], choices=jars.sets(),
        help="fetch the jars of this set too",
    )  # fmt: skip
    more = parser.parse_args(arguments).more
    started = time.monotonic()
    locked = tuple(jar for each in (None, *more) for jar in jars.locked(each))
    try:
        ready = STAMP.exists() and STAMP.read_text() == fingerprint()
        missing = [] if ready else [".venv from requirements.lock"]
        home = java.find()
        missing += [] if home else ["a JDK (17 or 21)"]
        missing += [f"{jar.file}" for jar in locked if not jar.verified()]
        if not missing and home:
            note_java(home)
            say(f"nothing to do ({time.monotonic() - started:.1f} s)")
            return 0
        announce(missing, first=not ready)
        if not ready:
            make_venv()
            install_packages()
            STAMP.write_text(fingerprint())
        home = home or java.install(say)
        note_java(home)
        jars.fetch(locked, home, VENV, say)
        train_archive()
    except (SetupError, java.JavaError, jars.JarError) as error:
        print(f"[setup] {error}", file=sys.stderr)
        return 1
    say(f"ready in {time.monotonic() - started:.0f} s. Next: make demo")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
