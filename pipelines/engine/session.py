"""The one Spark session of this process, with the settings that pay on small data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from contracts.errors import TerminalError, TransientError
from pipelines.engine.jvm import java_options, noted_java_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.engine.settings import Settings


class MissingJarsError(TerminalError):
    """Raised when the Delta jars are not where set-up puts them."""

    code: ClassVar[str] = "missing-jars"

    def __init__(self, folder: Path, jar_set: str | None = None) -> None:
        super().__init__(
            f"no {'S3' if jar_set else 'Delta'} jars in {folder}.",
            next_step=f"Run `make setup{f'-{jar_set}' if jar_set else ''}` (or `exlake doctor` to"
            " see what else is missing).",
        )


class SparkLostError(TransientError):
    """Raised when the JVM ended in the middle of a batch; the next one gets a new JVM."""

    code: ClassVar[str] = "spark-lost"

    def __init__(self, product: str, interval: str, exit_code: int) -> None:
        super().__init__(
            f"the JVM that ran Spark ended (exit code {exit_code}) while this was built; nothing "
            "of it was published unless its commit was made, which the next run finds out.",
            next_step="Run again. If it repeats, give the JVM more memory (EXLAKE_DRIVER_MEMORY) "
            "and look for an hs_err_pid*.log file or the kernel's out-of-memory killer.",
            product=product,
            interval=interval,
        )
        self.exit_code = exit_code


def _class_path(folder: Path, jar_set: str | None) -> str:
    jars = [jar for jar in sorted(folder.glob("*.jar")) if not jar.name.startswith("echarts-")]
    if not any(jar.name.startswith("delta-spark") for jar in jars):
        raise MissingJarsError(folder)
    if jar_set is not None:
        more = sorted((folder / jar_set).glob("*.jar"))
        if not more:
            raise MissingJarsError(folder / jar_set, jar_set)
        jars += more
    return ":".join(str(jar) for jar in jars)


def class_path_of(settings: Settings) -> str:
    """Delta's jars and what the tables' storage needs; MissingJarsError when they are not there."""
    return _class_path(settings.jars, settings.storage.jar_set)


def spark_session(settings: Settings, rows: int | None = None) -> SparkSession:
    """Return this process's Spark session, starting it on first use.

    ``rows``: how many are going to be read, where it is known (see ``jvm.is_quick``). Times are
    handled in UTC; the warehouse lives below ``settings.home``. When this process's JVM has ended,
    another is started. Raises MissingJarsError before a JVM is started.
    """
    if lost_exit_code() is not None:
        _forget_session()
    class_path = class_path_of(settings)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    if "JAVA_HOME" not in os.environ and (java_home := noted_java_home()):
        os.environ["JAVA_HOME"] = java_home
    from pyspark.sql import SparkSession

    scratch = settings.home / "spark"
    options = {
        "spark.master": settings.master,
        "spark.app.name": "exlake",
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraClassPath": class_path,
        "spark.executor.extraClassPath": class_path,
        "spark.driver.extraJavaOptions": (
            f"-Dderby.system.home={scratch} -Dlog4j2.configurationFile={_log_settings()}"
            + java_options(settings, class_path, rows)
        ),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        "spark.default.parallelism": str(settings.shuffle_partitions),
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
        "spark.databricks.delta.properties.defaults.checkpointPolicy": "classic",
        "spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols": "8",
        "spark.databricks.delta.stats.collect": "true",
        # A day of all products generates hundreds of classes; with room for a hundred (the
        # default) every day compiles them all again. Plan texts are for a UI that is off.
        "spark.sql.codegen.cache.maxEntries": "2000",
        # The JVM never compiles a method of more than 8,000 bytes of code: a stage of forty typed
        # columns, fused into one method, would be interpreted for good. Beyond that Spark is to
        # leave it as several small ones: half the processor time on 200,000 ticks.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        "spark.sql.ui.explainMode": "simple",
        # A batch has few intervals: a file is open for each of them (and for what leaves it), which
        # spares sorting every row by its interval first.
        "spark.sql.maxConcurrentOutputFileWriters": "64",
        # Each of them gathers a row group in memory: together they get a third of it, not 95 %.
        "spark.hadoop.parquet.memory.pool.ratio": "0.3",
        # Lists (moments of thousands of clients) are gathered in memory; from 128 keys on, the
        # default, their rows would be sorted first, twice.
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.files.openCostInBytes": "1048576",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m",
        "spark.cleaner.periodicGC.interval": "10min",
    }
    options |= settings.storage.spark_options(scratch)
    options |= settings.spark_options
    builder = SparkSession.builder
    for key, value in options.items():
        builder = builder.config(key, value)
    handler = signal.getsignal(signal.SIGINT)
    session: SparkSession = builder.getOrCreate()
    if (
        handler is not signal.default_int_handler
        and threading.current_thread() is threading.main_thread()
    ):
        # pyspark's handler would cancel the batch in flight of whoever stops between batches.
        signal.signal(signal.SIGINT, handler)
    session.sparkContext.setLogLevel("ERROR")
    return session


def _log_settings() -> Path:
    return Path(__file__).with_name("log4j2.properties")


def session_started() -> bool:
    """Tell whether this process already runs a JVM (asking does not start one)."""
    module = sys.modules.get("pyspark.sql.session") or sys.modules.get("pyspark.sql")
    if module is None:
        return False
    return module.SparkSession.getActiveSession() is not None


def lost_exit_code(patience: float = 0.0) -> int | None:
    """How this process's JVM ended; None when it runs, or never did.

    A connection breaks a moment before its process is gone: ``patience`` are the seconds to
    wait for that.
    """
    context = sys.modules.get("pyspark.core.context")
    gateway = context.SparkContext._gateway if context is not None else None
    process = getattr(gateway, "proc", None)
    if process is None:
        return None
    try:
        return int(process.wait(timeout=patience))
    except subprocess.TimeoutExpired:
        return None


def from_jvm(error: BaseException) -> bool:
    """True when the error is one that a broken connection to the JVM gives."""
    return isinstance(error, OSError) or type(error).__module__.startswith("py4j.")


def _forget_session() -> None:
    """Drop what pyspark keeps of a JVM that is gone, which would answer no call any more."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    SparkContext._active_spark_context = None
    SparkContext._gateway = None
    SparkContext._jvm = None
    SparkSession._instantiatedSession = None
