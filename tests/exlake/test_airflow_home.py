"""Airflow as we set it up: local, quiet, and its own process group only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exlake import standalone
from exlake.errors import PortTakenError
from exlake.orchestration import airflow_home
from pipelines.engine.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a lake that nobody else has."""
    return load_settings(environ={}, home=tmp_path / "lake")


def test_airflow_is_local_quiet_and_open_to_this_machine_only(settings: Settings) -> None:
    """127.0.0.1, two workers, no examples, no password prompt, everything below the lake."""
    env = airflow_home.environment(settings)
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__CORE__PARALLELISM"] == "2"
    assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"
    assert env["AIRFLOW_HOME"] == str(settings.airflow)
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    secret = settings.airflow / "secret.key"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert airflow_home.environment(settings) == env, "the secret stays the same"


def test_relative_settings_mean_the_same_to_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person gave relative to their folder is passed on absolute."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exlake.toml").write_text('driver_memory = "1g"\n')
    env = airflow_home.environment(load_settings(environ={"EXLAKE_INBOX_DIR": "drop"}))
    assert env["EXLAKE_INBOX_DIR"] == str(tmp_path / "drop")
    assert env["EXLAKE_HOME"] == str(tmp_path / "lake")
    assert env["EXLAKE_CONFIG"] == str(tmp_path / "exlake.toml")


def test_a_taken_port_is_told_before_anything_is_started(settings: Settings) -> None:
    """Another program on the port: an error with the port, and no process."""
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = settings.model_copy(update={"airflow_port": other.getsockname()[1]})
        with pytest.raises(PortTakenError):
            standalone.start(taken, print)
    assert not (settings.airflow / "standalone.pid").exists()


def test_down_never_signals_a_process_that_merely_has_the_pid(settings: Settings) -> None:
    """A pid noted long ago may belong to somebody else by now: its birth time tells."""
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    try:
        settings.airflow.mkdir(parents=True)
        (settings.airflow / "standalone.pid").write_text(f"{bystander.pid} 1")
        assert standalone.stop(settings) == "Airflow was not running."
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
