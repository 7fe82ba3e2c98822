"""DAGs as Airflow itself loads them, without a database."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest


@pytest.fixture(scope="session")
def dag_bag(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Airflow's own bag of our DAG files; its home is a temporary folder."""
    from exlake.orchestration import airflow_home
    from pipelines.engine.settings import load_settings

    if "airflow" not in sys.modules:
        settings = load_settings(environ={}, home=tmp_path_factory.mktemp("dag_bag"))
        os.environ.update(airflow_home.environment(settings))
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(airflow_home.DAGS), bundle_path=airflow_home.DAGS)
