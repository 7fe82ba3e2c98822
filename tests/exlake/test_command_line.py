"""The command line: quick, clear, and honest in its exit codes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.catalogue import UnknownProductError
from exlake.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "simulate", "land", "plan", "run", "backfill", "judge", "status", "history", "hash", "waive",
    "quarantine", "decisions", "contracts", "new", "publish", "sql", "doctor", "demo", "demo-real",
    "up", "down", "explain", "trace", "publications", "changes", "open", "exports", "upgrade",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


Exlake = Callable[..., Answer]


@pytest.fixture
def exlake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Exlake:
    """Run the command in this process, on a lake of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Answer:
        with monkeypatch.context() as patch:
            patch.setenv("EXLAKE_HOME", str(tmp_path / "lake"))
            patch.setattr(sys, "argv", ["exlake", *arguments])
            for name, value in environment.items():
                patch.setenv(name, value)
            code = 0
            try:
                main()
            except SystemExit as ending:
                code = int(ending.code or 0)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


def test_help_is_quick_and_lists_every_command() -> None:
    """`exlake --help` takes half a second at most, interpreter included, and names all commands.

    Measured as processor time, which other work on the machine leaves nearly alone.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(
        [sys.executable, "-m", "exlake.cli", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent <= 0.5
    assert all(f"\n  {command} " in answer.stdout for command in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    """Heavy libraries load only when a command uses them, whatever the machine's speed."""
    code = (
        "import sys; import exlake.cli; "
        "heavy = {'pyspark', 'pyarrow', 'pandas', 'duckdb', 'airflow', 'deltalake', 'pydantic', "
        "'great_expectations', 'rich'} & set(sys.modules); print(sorted(heavy))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_an_error_is_a_sentence_with_a_next_step(exlake: Exlake) -> None:
    """Deliberate errors show code, what and what to do, without a traceback; --debug shows it."""
    answer = exlake("history", "silver.tradee")
    assert answer.returncode == 3
    assert "error [unknown-product]" in answer.stderr
    assert "silver.trade" in answer.stderr
    assert "next: " in answer.stderr
    assert "Traceback" not in answer.stderr
    with pytest.raises(UnknownProductError):
        exlake("--debug", "history", "silver.tradee")


def test_a_bad_setting_is_refused_with_key_value_and_what_is_allowed(exlake: Exlake) -> None:
    """A setting that is unknown or not allowed never passes silently."""
    answer = exlake("status", EXLAKE_PARALLEL_PRODUCTS="many")
    assert answer.returncode == 3
    assert "EXLAKE_PARALLEL_PRODUCTS = 'many'" in answer.stderr
    assert "from 1 to 16" in answer.stderr
    assert exlake("status", EXLAKE_HOEM="x").returncode == 3


@pytest.mark.parametrize("dates", ["2026-13-01", "2026-01-07..2026-01-05", "yesterday"])
def test_a_bad_range_of_dates_is_wrong_usage(exlake: Exlake, dates: str) -> None:
    """Dates that mean nothing are refused before anything is read."""
    answer = exlake("plan", "--dates", dates)
    assert answer.returncode == 2
    assert dates in answer.stderr


def test_a_date_outside_the_calendar_is_an_error(exlake: Exlake) -> None:
    """A date the calendar doesn't cover is never skipped."""
    answer = exlake("plan", "--dates", "2999-01-04..2999-01-05")
    assert answer.returncode == 3
    assert "date-outside-calendar" in answer.stderr


def test_looking_never_starts_spark(exlake: Exlake, tmp_path: Path) -> None:
    """plan, status, history, contracts and quarantine answer on an empty lake, without a JVM."""
    no_java = {"JAVA_HOME": "/nonexistent", "PATH": "/nonexistent"}
    for arguments in (
        ("plan", "--json"), ("status", "--json"), ("history", "silver.trade", "--json"),
        ("contracts", "list", "--json"), ("quarantine", "list", "--json"),
    ):  # fmt: skip
        answer = exlake(*arguments, **no_java)
        assert answer.returncode == 0, answer.stderr
        json.loads(answer.stdout)
    assert not (tmp_path / "lake").exists(), "looking writes nothing"


def test_several_products_may_be_named(exlake: Exlake) -> None:
    """``--product`` given twice asks for both: none of them is dropped unseen."""
    both = ("--product", "silver.trade", "--product", "silver.position")
    answer = exlake("plan", *both, "--json")
    found = {p["product"] for p in json.loads(answer.stdout)["products"]}
    assert found == {"silver.trade", "silver.position"}
    unknown = exlake("plan", "--product", "silver.trad", *both)
    assert unknown.returncode == 3
    assert "silver.trad" in unknown.stderr


def test_land_tells_what_was_refused(exlake: Exlake, tmp_path: Path) -> None:
    """A damaged delivery is listed with its code, and the exit code says that there is one."""
    folder = tmp_path / "lake" / "inbox" / "trading" / "20260105"
    folder.mkdir(parents=True)
    (folder / "trade_20260105.csv.gz").write_bytes(b"this is no gzip")
    answer = exlake("land", "--json")
    assert answer.returncode == 1
    [delivery] = json.loads(answer.stdout)
    assert delivery["status"] == "refused"
    assert delivery["error_code"].startswith("delivery-")
    assert exlake("land", "--json").returncode == 0, "once refused, it is known"


def test_sql_before_anything_is_published_says_what_to_do(exlake: Exlake) -> None:
    """Asking too early is an error with a next step."""
    answer = exlake("sql", "SELECT 1")
    assert answer.returncode == 3
    assert "exlake publish" in answer.stderr


def test_doctor_says_how_to_mend(exlake: Exlake, tmp_path: Path) -> None:
    """Every broken thing has a mend beside it; missing Java and jars are found."""
    answer = exlake("doctor", "--json", JAVA_HOME="/nonexistent", EXLAKE_JARS_DIR=str(tmp_path))
    assert answer.returncode == 1
    broken = {f["check"]: f["mend"] for f in json.loads(answer.stdout) if f["state"] == "broken"}
    assert {"java", "delta-storage-4.4.0.jar"} <= set(broken)
    assert all(broken.values())
