"""A Spark standalone cluster on this machine, from pyspark's own jars: a master, two workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pyspark

from pipelines.engine.jvm import noted_java_home

STARTED = re.compile(r"(spark://127\.0\.0\.1:\d+)")
REGISTERED = "Successfully registered with master"
PATIENCE = 180.0


@contextmanager
def standalone_cluster(logs: Path, workers: int = 2) -> Iterator[str]:
    """Yield the master's URL; every process ends with the block."""
    with ExitStack() as stack:
        master = _start(stack, logs, "master", "org.apache.spark.deploy.master.Master",
                        "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")  # fmt: skip
        url = _wait(logs / "master.log", STARTED, master)
        for number in range(workers):
            name = f"worker{number}"
            worker = _start(stack, logs, name, "org.apache.spark.deploy.worker.Worker",
                            "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
                            "--webui-port", "0", "--work-dir", str(logs / name), url)  # fmt: skip
            _wait(logs / f"{name}.log", re.compile(f"({REGISTERED})"), worker)
        yield url


def _start(
    stack: ExitStack, logs: Path, name: str, main: str, *arguments: str
) -> subprocess.Popen[bytes]:
    spark_home = Path(pyspark.__file__).parent
    output: IO[bytes] = stack.enter_context((logs / f"{name}.log").open("wb"))
    settings = {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_HOME": str(spark_home),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC",
        "PYSPARK_PYTHON": sys.executable,
    }
    if java_home := noted_java_home():
        settings["JAVA_HOME"] = java_home
    process = subprocess.Popen(
        [str(spark_home / "bin" / "spark-class"), main, *arguments],
        env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT,
    )  # fmt: skip
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(log: Path, wanted: re.Pattern[str], process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if found := wanted.search(log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"{log.name}: {log.read_text(errors='replace')[-2000:]}")
