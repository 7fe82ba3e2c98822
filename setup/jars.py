"""Fetch the locked jars with the Ivy that pyspark brings, and check their SHA-256.

Ivy's own default repository is asked; no host is named here. ``jars.json`` is the lock;
``jars-<set>.json`` locks a set that is fetched on demand, into a folder of its own.
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

MODULE = """<ivy-module version="2.0"><info organisation="exlake" module="setup"/>
<configurations><conf name="default"/></configurations>
<dependencies>{dependencies}</dependencies></ivy-module>"""


class JarError(Exception):
    """A jar could not be fetched or is not the locked one; the text says what to do."""


@dataclass(frozen=True)
class Jar:
    """One locked jar: Maven coordinates and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    folder: Path = FOLDER

    @property
    def file(self) -> str:
        """The jar's file name."""
        return f"{self.artifact}-{self.version}.jar"

    def verified(self, folder: Path | None = None) -> bool:
        """True when its folder (or the given one) holds this jar with the locked checksum."""
        path = (folder or self.folder) / self.file
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def sets() -> tuple[str, ...]:
    """The names of the sets that are fetched on demand."""
    return tuple(sorted(f.stem[5:] for f in Path(__file__).parent.glob("jars-*.json")))


def locked(jar_set: str | None = None) -> tuple[Jar, ...]:
    """The jars that everybody needs, or those of a set. Raises JarError for a name unknown."""
    if jar_set is not None and jar_set not in sets():
        raise JarError(f"there is no set of jars {jar_set!r}. Next: one of {', '.join(sets())}.")
    name, folder = ("jars", FOLDER) if jar_set is None else (f"jars-{jar_set}", FOLDER / jar_set)
    listed = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return tuple(Jar(**entry, folder=folder) for entry in listed)


def fetch(jars: tuple[Jar, ...], java: Path, venv: Path, say: Callable[[str], None]) -> None:
    """Fetch every jar that is missing or wrong; raise JarError when a checksum differs."""
    wanted = [jar for jar in jars if not jar.verified()]
    if not wanted:
        return
    ivy = next(iter(venv.glob("lib/python*/site-packages/pyspark/jars/ivy-*.jar")), None)
    if ivy is None:
        raise JarError("pyspark's ivy jar is missing. Next: delete .venv and run make setup again.")
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "ivysettings.xml"
        settings.write_text(SETTINGS)
        names = ", ".join(jar.file for jar in wanted[:3])
        say(f"fetching {names}" + (f" and {len(wanted) - 3} more" if wanted[3:] else ""))
        command = [str(java), *trust(venv, Path(scratch)), "-jar", str(ivy)]
        tail = retrieve(wanted, command, settings, Path(scratch))
        for jar in wanted:
            keep(jar, Path(scratch), tail)


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


def retrieve(wanted: list[Jar], ivy: list[str], settings: Path, scratch: Path) -> str:
    """Fetch jars into the scratch folder, in one call; the last lines of what Ivy said."""
    asked = "".join(
        f'<dependency org="{jar.group}" name="{jar.artifact}" rev="{jar.version}"'
        ' transitive="false" conf="default->master"/>'
        for jar in wanted
    )
    module = scratch / "ivy.xml"
    module.write_text(MODULE.format(dependencies=asked))
    command = [
        *ivy, "-cache", str(scratch / "cache"), "-settings", str(settings), "-ivy", str(module),
        "-types", "jar", "bundle", "-retrieve", f"{scratch}/[artifact]-[revision].[ext]",
    ]  # fmt: skip
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    return "\n".join(outcome.stdout.splitlines()[-12:])


def keep(jar: Jar, scratch: Path, tail: str) -> None:
    """Check one fetched jar and move it into its folder."""
    if not (scratch / jar.file).exists():
        raise JarError(
            f"{jar.file} could not be fetched:\n{tail}\nNext: check the network and run make setup "
            f"again, or put the file into {jar.folder} by hand (it is checked by SHA-256)."
        )
    if not jar.verified(scratch):
        raise JarError(
            f"{jar.file} was fetched but its SHA-256 is not {jar.sha256}: the bytes are not the "
            f"locked ones. Next: find out what answers for the repository before going on."
        )
    jar.folder.mkdir(parents=True, exist_ok=True)
    shutil.move(scratch / jar.file, jar.folder / jar.file)
