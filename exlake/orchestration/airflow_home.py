"""Airflow's home under ``$EXLAKE_HOME/airflow``: its settings, database and pool.

Everything is given through the environment, so that no configuration file has to be
kept in step; Airflow still writes its own ``airflow.cfg`` with generated secrets there.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.engine.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
HOST = "127.0.0.1"
WORKERS = 2


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make Airflow ours: local, quiet, two workers, no examples, no prompt.

    The API listens on 127.0.0.1 only, which is why every visitor may be an admin. The
    environment's ``bin`` comes first on PATH: Airflow starts its parts by name.
    """
    port = settings.airflow_port
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    env = {
        "PATH": os.pathsep.join(part for part in path if part),
        "EXLAKE_HOME": str(settings.home),
        "AIRFLOW_HOME": str(settings.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(WORKERS),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": _secret(settings.airflow),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(settings.airflow),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "exlake=INFO",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    # Airflow's parts run in another folder: relative paths would mean something else there.
    if (config := Path(os.environ.get("EXLAKE_CONFIG", "exlake.toml"))).is_file():
        env["EXLAKE_CONFIG"] = str(config.absolute())
    for key in ("inbox_dir", "contracts_dir", "jars_dir"):
        if (path_set := getattr(settings, key)) is not None:
            env[f"EXLAKE_{key.upper()}"] = str(path_set)
    return env


def prepare(settings: Settings) -> None:
    """Point this process at Airflow's home and bring its database and pool there up to date.

    Importing Airflow takes seconds: call this only when DAGs are really to be run. Must come
    before anything imports ``airflow`` in this process.
    """
    settings.airflow.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.update(environment(settings))
    from airflow.models.pool import Pool
    from airflow.utils import db

    db.initdb()
    Pool.create_or_update_pool(
        name="spark",
        slots=1,
        description="one Spark process at a time on this machine",
        include_deferred=False,
    )


def _secret(home: Path) -> str:
    """A random key all parts of one Airflow share, made once, readable by this user only."""
    path = home / "secret.key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()
