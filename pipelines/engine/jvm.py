"""How the JVM under Spark is started: which compiler, and with which classes ready.

A run of a few small days ends before the JVM's second compiler has earned what it costs, and every
start reads and checks twenty thousand classes. ``python -m pipelines.engine.jvm`` (set-up does it)
trains an archive of those classes once; later starts map it into memory. An archive fits one JDK
and one class path: its name says which, and none that fits means a start as ever.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.engine.settings import Settings

QUICK = " -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
"""One compiler only. Its default code cache of 48 MB is too small for Spark: a JVM that fills it
dies with "Out of space in CodeCache"."""
QUICK_ROWS = 150_000
"""Runs that read fewer rows take one compiler, where the setting says ``auto``.

Measured on two cores in fresh processes: 200,000 orders of eleven columns 28 s with one compiler
and 43 with both (beside another process), 200,000 ticks of forty columns and windows 49 and 42."""
SILENT = " -Xlog:disable -Xlog:all=off"
"""Archives make the JVM warn by the thousand of classes that it will not share."""
TRAIN = "EXLAKE_TRAIN"
"""Where the JVM that trains leaves its archive."""


def noted_java_home() -> str | None:
    """The JDK that set-up found, noted in the environment; None when it has gone since.

    The first ``java`` on PATH may be of a version that Spark does not run on.
    """
    note = Path(sys.prefix) / ".java-home"
    home = note.read_text().strip() if note.exists() else ""
    return home if home and (Path(home) / "bin" / "java").exists() else None


def is_quick(settings: Settings, rows: int | None) -> bool:
    """True when one compiler is better; ``rows``: what the run will read, None when unknown."""
    if settings.jvm_compiler == "auto":
        return rows is not None and rows < QUICK_ROWS
    return settings.jvm_compiler == "quick"


def java_options(settings: Settings, class_path: str, rows: int | None) -> str:
    """The options of the JVM besides memory."""
    archive = archive_of(settings.jars, class_path)
    options = " -XX:+UseParallelGC" + (QUICK if is_quick(settings, rows) else "")
    if trained := os.environ.get(TRAIN):
        return f"{options} -XX:ArchiveClassesAtExit={trained}{SILENT}"
    if archive is not None and archive.exists():
        return f"{options} -XX:SharedArchiveFile={archive}{SILENT}"
    return options


def archive_of(folder: Path, class_path: str) -> Path | None:
    """Where the class-data archive of this JDK and class path lies, there or not.

    None when the JDK does not say which it is, or the path would need quoting.
    """
    release = Path(os.environ.get("JAVA_HOME", "")) / "release"
    if not release.is_file() or " " in str(folder):
        return None
    digest = hashlib.sha256(f"{release.read_text()}\n{sys.prefix}\n{class_path}".encode())
    return folder / f"classes-{digest.hexdigest()[:12]}.jsa"


def train() -> Path | None:
    """Make the archive from what a small batch loads; None when there is no place for it."""
    from pipelines.engine.session import class_path_of, spark_session
    from pipelines.engine.settings import load_settings

    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(environ={}, home=Path(home), master="local[2]")
        if "JAVA_HOME" not in os.environ and (java_home := noted_java_home()):
            os.environ["JAVA_HOME"] = java_home
        archive = archive_of(settings.jars, class_path_of(settings))
        if archive is None or archive.exists():
            return archive
        for old in settings.jars.glob("classes-*"):
            old.unlink()
        draft = archive.with_suffix(".draft")
        os.environ[TRAIN] = str(draft)
        spark = spark_session(settings)
        _batch(spark, Path(home) / "table")
        gateway = spark.sparkContext._gateway
        spark.stop()
        assert gateway is not None
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=120)
        draft.replace(archive)
    return archive


def _batch(spark: SparkSession, table: Path) -> None:
    """What every batch does: cast, observe, hold, read back, count, window, join, commit."""
    from pyspark.sql import Observation, Window
    from pyspark.sql import functions as F

    from pipelines.engine.held import hold
    from pipelines.engine.place import Folder

    delivered = spark.range(2_000).selectExpr(
        "date'2026-01-06' AS trade_date",
        "try_cast(cast(id AS string) AS bigint) AS id",
        "try_cast(concat(id, '.50') AS decimal(18,4)) AS price",
        "to_utc_timestamp(try_cast('2026-01-06 09:00:00.5' AS timestamp), 'Asia/Shanghai') AS at",
        "nullif(trim(concat('c', id % 7)), '') AS client",
    )
    delivered.write.parquet(str(table.with_name("delivered")))
    rows = spark.read.parquet(str(table.with_name("delivered")))
    seen = Observation()
    marked = rows.observe(
        seen,
        F.count(F.lit(1)).alias("rows"),
        F.sum(F.shiftright(F.xxhash64("id", "client"), 32)),
    )
    for frame in (marked, rows):
        held = hold(
            spark, frame, Folder(table), product="silver.trained",
            interval_column="trade_date", intervals=("2026-01-06",),
            staging=table.with_name("staging"),
        )  # fmt: skip
        written = spark.read.option("basePath", str(table)).parquet(*[f.path for f in held.files])
        order = Window.partitionBy("client").orderBy("id")
        written.withColumn("n", F.row_number().over(order)).where("n > 1").groupBy(
            "client"
        ).count().join(rows, "client", "left_anti").collect()
        held.rewrite([held.files[0].path], rows.where("id > 5").join(rows, "id", "left_semi"))
        held.commit(["2026-01-06"], "{}")
    rejected = rows.select(F.to_json(F.struct("*")).alias("row"), F.array(F.lit("a")).alias("r"))
    rejected.write.format("delta").mode("append").save(str(table.with_name("quarantine")))


if __name__ == "__main__":
    made = train()
    print(f"class-data archive: {made or 'none'}")
