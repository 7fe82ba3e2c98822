"""A local S3 endpoint, from the jars of ``make test-s3``: objects are kept in its memory."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from pipelines.engine.jvm import noted_java_home

ROOT = Path(__file__).resolve().parents[3]
BUCKET = "exchange-lake"
KEYS = {"AWS_ACCESS_KEY_ID": "key-of-the-test", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test-0815"}
PATIENCE = 60.0


def jars() -> Path:
    """The folder of the endpoint's jars; the test is skipped where any of the two sets is not."""
    for jar_set in ("s3", "s3proxy"):
        if not list((ROOT / ".jars" / jar_set).glob("*.jar")):
            pytest.skip(f"no jars in .jars/{jar_set}: run `make test-s3`")
    return ROOT / ".jars" / "s3proxy"


@contextmanager
def s3_endpoint(folder: Path) -> Iterator[str]:
    """Yield the address of an endpoint that has the bucket and takes only the keys above."""
    classes = jars() / "*"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    properties = folder / "s3proxy.properties"
    properties.write_text(
        f"s3proxy.endpoint=http://{host}\ns3proxy.authorization=aws-v2-or-v4\n"
        f"s3proxy.identity={KEYS['AWS_ACCESS_KEY_ID']}\n"
        f"s3proxy.credential={KEYS['AWS_SECRET_ACCESS_KEY']}\njclouds.provider=transient\n"
        # The checksum that delta-rs sends with a list of objects to delete.
        "s3proxy.ignore-unknown-headers=true\n"
    )
    home = noted_java_home()
    java = str(Path(home) / "bin" / "java") if home else "java"
    with (folder / "s3proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(classes),
             "org.gaul.s3proxy.Main", "--properties", str(properties)],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _make_bucket(host, process)
        yield f"http://{host}"
    finally:
        process.kill()
        process.wait()


def _make_bucket(host: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(host.split(":")[1]))) == 0:
                store = S3FileSystem(
                    access_key=KEYS["AWS_ACCESS_KEY_ID"], secret_key=KEYS["AWS_SECRET_ACCESS_KEY"],
                    endpoint_override=host, scheme="http", region="us-east-1",
                    allow_bucket_creation=True,
                )  # fmt: skip
                store.create_dir(BUCKET)
                return
        time.sleep(0.2)
    raise AssertionError("s3proxy did not start")
