"""Set-up: what is fetched is locked, and a wrong byte is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "setup"


@pytest.fixture(autouse=True)
def _setup_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SETUP))


def test_the_lock_has_a_hash_for_every_package_and_no_address() -> None:
    """The lock is one hashed file for all platforms and names no host."""
    text = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"(?m)^[a-z0-9][a-z0-9._-]*==", text)
    assert len(packages) > 100
    blocks = re.split(r"(?m)^(?=[a-z0-9][a-z0-9._-]*==)", text)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_the_lock_agrees_with_the_project() -> None:
    """What pyproject pins exactly is locked at that version."""
    project = (ROOT / "pyproject.toml").read_text()
    lock = (ROOT / "requirements.lock").read_text()
    for name, version in re.findall(r'"([a-z0-9-]+)==([0-9.]+)"', project):
        assert f"\n{name}=={version} " in lock


def test_no_committed_set_up_file_names_a_registry() -> None:
    """The jars come by coordinates and checksum; no repository's address is written down."""
    for path in SETUP.iterdir():
        if path.is_file():
            assert not re.search(r"https?://", path.read_text()), path.name


def test_a_jar_with_other_bytes_is_not_accepted(tmp_path: Path) -> None:
    """A jar counts only with the locked SHA-256."""
    import jars

    locked = [jar for jar_set in (None, *jars.sets()) for jar in jars.locked(jar_set)]
    assert len({jar.file for jar in locked}) == len(locked) > 70
    for jar in locked:
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256)
        assert not jar.verified(tmp_path)
        (tmp_path / jar.file).write_bytes(b"something else")
        assert not jar.verified(tmp_path)


def test_the_delta_jars_are_those_of_the_pinned_python_package() -> None:
    """delta-spark's jar and its Python package have one version, for our Spark and Scala."""
    locked = {
        e["artifact"]: e["version"]
        for e in json.loads((SETUP / "jars.json").read_text())
        if e["group"] == "io.delta"
    }
    assert locked == {"delta-spark_4.2_2.13": "4.4.0", "delta-storage": "4.4.0"}


def test_the_s3_client_is_of_the_hadoop_that_pyspark_brings() -> None:
    """Another Hadoop's client fails in the middle of a write, not at the start."""
    import pyspark

    (version,) = [
        e["version"]
        for e in json.loads((SETUP / "jars-s3.json").read_text())
        if e["artifact"] == "hadoop-aws"
    ]
    assert (Path(pyspark.__file__).parent / "jars" / f"hadoop-client-api-{version}.jar").exists()


def test_set_up_again_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """On a machine that is set up, `make setup` only looks."""
    import bootstrap

    made = bootstrap.STAMP.exists() and bootstrap.STAMP.read_text() == bootstrap.fingerprint()
    if not made or not all(jar.verified() for jar in bootstrap.jars.locked()):
        pytest.skip("this environment was not made by the present make setup")
    assert bootstrap.main() == 0
    assert "nothing to do" in capsys.readouterr().out


def test_without_root_the_message_says_exactly_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No Java and no root: the package's name is in the message."""
    import java

    monkeypatch.setattr(java.os, "geteuid", lambda: 1000)
    with pytest.raises(java.JavaError, match="apt-get install openjdk-17-jre-headless"):
        java.install(lambda line: None)
