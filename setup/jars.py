"""Fetch the locked jars with the Ivy that pyspark brings, and check their SHA-256.

Ivy's own default repository is asked; no host is named here. ``jars.json`` is the lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".jars"
TRUST_WORD = "changeit"
"""Java's own default: a trust store holds public certificates, but must have a word."""
SETTINGS = """<ivysettings><settings defaultResolver="central"/><resolvers>
<ibiblio name="central" m2compatible="true"/></resolvers></ivysettings>"""


class JarError(Exception):
    """A jar could not be fetched or is not the locked one; the text says what to do."""


@dataclass(frozen=True)
class Jar:
    """One locked jar: Maven coordinates and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """The jar's file name."""
        return f"{self.artifact}-{self.version}.jar"

    def verified(self, folder: Path = FOLDER) -> bool:
        """True when the folder holds this jar with the locked checksum."""
        path = folder / self.file
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def locked() -> tuple[Jar, ...]:
    """The jars of ``jars.json``."""
    listed = json.loads((Path(__file__).parent / "jars.json").read_text())
    return tuple(Jar(**entry) for entry in listed)


def fetch(jars: tuple[Jar, ...], java: Path, venv: Path, say: Callable[[str], None]) -> None:
    """Fetch every jar that is missing or wrong; raise JarError when a checksum differs."""
    wanted = [jar for jar in jars if not jar.verified()]
    if not wanted:
        return
    ivy = next(iter(venv.glob("lib/python*/site-packages/pyspark/jars/ivy-*.jar")), None)
    if ivy is None:
        raise JarError("pyspark's ivy jar is missing. Next: delete .venv and run make setup again.")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "ivysettings.xml"
        settings.write_text(SETTINGS)
        for jar in wanted:
            say(f"fetching {jar.file}")
            command = [str(java), *trust(venv, Path(scratch)), "-jar", str(ivy)]
            fetch_one(jar, command, settings, Path(scratch))


def trust(venv: Path, scratch: Path) -> list[str]:
    """Java's options to trust what SSL_CERT_FILE lists, as pip does; none when it isn't set."""
    bundle = os.environ.get("SSL_CERT_FILE", "")
    if not Path(bundle).is_file():
        return []
    store = scratch / "trust.p12"
    if not store.exists():
        writer = Path(__file__).parent / "truststore.py"
        made = subprocess.run(
            [venv / "bin" / "python", writer, bundle, store, TRUST_WORD],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise JarError(
                f"SSL_CERT_FILE ({bundle}) gives Java nothing to trust: "
                f"{(made.stderr.strip().splitlines() or ['no reason given'])[-1]}\n"
                "Next: let it name a PEM file of certificates, or unset it, and run make setup."
            )
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={TRUST_WORD}",
    ]


def fetch_one(jar: Jar, ivy: list[str], settings: Path, scratch: Path) -> None:
    """Fetch one jar into the scratch folder, check it, and move it into place."""
    pattern = f"{scratch}/[artifact]-[revision](-[classifier]).[ext]"
    command = [
        *ivy, "-cache", str(scratch / "cache"), "-settings", str(settings), "-dependency",
        jar.group, jar.artifact, jar.version, "-notransitive", "-types", "jar",
        "-retrieve", pattern,
    ]  # fmt: skip
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if not (scratch / jar.file).exists():
        tail = "\n".join(outcome.stdout.splitlines()[-12:])
        raise JarError(
            f"{jar.file} could not be fetched:\n{tail}\nNext: check the network and run make setup "
            f"again, or put the file into {FOLDER} by hand (it is checked by SHA-256)."
        )
    if not jar.verified(scratch):
        raise JarError(
            f"{jar.file} was fetched but its SHA-256 is not {jar.sha256}: the bytes are not the "
            f"locked ones. Next: find out what answers for the repository before going on."
        )
    shutil.move(scratch / jar.file, FOLDER / jar.file)
