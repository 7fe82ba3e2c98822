"""Settings: where they come from, and how bad ones are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engine.place import Folder
from pipelines.engine.settings import Settings, SettingsError, load_settings


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    """A variable is stronger than exlake.toml, which is stronger than a default."""
    config = tmp_path / "exlake.toml"
    config.write_text('master = "local[1]"\nshuffle_partitions = 4\n')
    settings = load_settings({"EXLAKE_MASTER": "local[2]"}, config, home=tmp_path)
    assert (settings.master, settings.shuffle_partitions) == ("local[2]", 4)
    assert settings.driver_memory == Settings().driver_memory


def test_everything_a_run_writes_is_below_home(tmp_path: Path) -> None:
    """EXLAKE_HOME holds tables, deliveries, ledgers, reports and locks, whatever the folder."""
    settings = load_settings({"EXLAKE_HOME": str(tmp_path / "my lake")})
    paths = [
        settings.landing, settings.inbox, settings.publish, settings.reports, settings.ops,
        settings.airflow, settings.locks, settings.secrets,
    ]  # fmt: skip
    assert all(p.is_relative_to(tmp_path / "my lake") for p in paths)
    tables = (settings.table("silver.trade"), settings.storage.quarantine("silver.trade"))
    below = ("silver/trade", "quarantine/silver_trade")
    assert tables == tuple(Folder(tmp_path / "my lake" / name) for name in below)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("EXLAKE_SHUFFLE_PARTITIONS", "many", "a whole number from 1 to 10000"),
        ("EXLAKE_SHUFFLE_PARTITIONS", "0", "a whole number from 1 to 10000"),
        ("EXLAKE_MASTER", "cluster", "local[N]"),
        ("EXLAKE_DRIVER_MEMORY", "2", "a number with m or g"),
        ("EXLAKE_COMMIT", "sometimes", "auto, held or staged"),
        ("EXLAKE_MESSAGES_QUIET", "22:00-25:00", "hours of silence"),
        ("EXLAKE_MESSAGES_TO", "a@b.cn\nBcc: c@d.cn", "e-mail addresses"),
        ("EXLAKE_HOEM", "/x", "did you mean home"),
    ],
)
def test_bad_settings_are_refused(variable: str, value: str, says: str) -> None:
    """The refusal names the key, the value and what is allowed."""
    with pytest.raises(SettingsError) as refused:
        load_settings({variable: value})
    assert variable in str(refused.value)
    assert repr(value) in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["EXLAKE_MESSAGES_SMTP", "EXLAKE_MESSAGES_WEBHOOK"])
def test_a_secret_is_never_told(name: str) -> None:
    """Addresses of messages may hold passwords: no error, no repr and no dump shows them."""
    with pytest.raises(SettingsError, match="must be") as refused:
        load_settings({name: "ftp://user:hunter2@host"})
    assert "hunter2" not in str(refused.value)
    scheme = "smtps" if "SMTP" in name else "https"
    settings = load_settings({name: f"{scheme}://user:hunter2@host:99"})
    assert "hunter2" not in f"{settings!r} {settings.model_dump()}"


def test_bad_files_are_refused(tmp_path: Path) -> None:
    """An unknown key, broken TOML and a named file that is not there are errors."""
    config = tmp_path / "exlake.toml"
    config.write_text("hme = 1\n")
    with pytest.raises(SettingsError, match="hme"):
        load_settings({}, config)
    config.write_text("home = \n")
    with pytest.raises(SettingsError, match="TOML"):
        load_settings({}, config)
    with pytest.raises(SettingsError, match="must be a file"):
        load_settings({"EXLAKE_CONFIG": str(tmp_path / "none.toml")})


def test_planning_imports_no_spark() -> None:
    """`plan` and `status` never start, nor even import, Spark."""
    code = (
        "import sys\n"
        "import pipelines.engine.settings, pipelines.engine.staleness, pipelines.engine.ledgers\n"
        "import pipelines.engine.versions, pipelines.engine.locks\n"
        "from pipelines.engine.discovery import discover\n"
        "discover()\n"
        "heavy = ('pyspark', 'pandas', 'exchange_calendars')\n"
        "sys.exit(any(m.startswith(heavy) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
