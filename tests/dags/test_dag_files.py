"""DAG files say when, and nothing else: held by reading their source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
FILES = sorted(DAGS.glob("*.py"))
ALLOWED = ("airflow.sdk", "exlake.orchestration", "__future__")
LOGIC = (
    ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.Match, ast.ListComp, ast.DictComp,
    ast.SetComp, ast.GeneratorExp, ast.Lambda, ast.ClassDef, ast.Compare, ast.AugAssign, ast.Await,
)  # fmt: skip
HEADINGS = ("**Purpose.**", "**Schedule", "**Steps.**", "**When it fails.**")


def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_flow_has_its_file() -> None:
    """The house has exactly these DAGs, one per file, named alike."""
    names = {path.stem for path in FILES}
    assert names == {
        "reference",
        "trading_day",
        "external",
        "maintenance",
        "marts",
        "members",
        "publish",
        "sentiment",
        "surveillance",
        "watch",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_dag_file_is_short_and_has_no_logic(path: Path) -> None:
    """Explicit files of 120 lines at most; anything that decides lives in exlake."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    found = [type(node).__name__ for node in ast.walk(tree(path)) if isinstance(node, LOGIC)]
    assert not found, f"{path.name} has logic: {found}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_task_is_one_call(path: Path) -> None:
    """A task's body is its docstring and one call into the orchestration module."""
    tasks = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]
    assert tasks
    for task in tasks:
        assert ast.get_docstring(task), f"{path.name}:{task.name} has no docstring"
        assert len(task.body) == 2
        statement = task.body[1]
        assert isinstance(statement, ast.Return | ast.Expr)
        assert isinstance(statement.value, ast.Call)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_dag_file_imports_only_the_sdk_and_our_orchestration(path: Path) -> None:
    """The import direction ends here: DAGs know Airflow's SDK, the standard library and exlake."""
    import sys

    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            assert name in ALLOWED or top in sys.stdlib_module_names, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_dag_explains_itself(path: Path) -> None:
    """Purpose, schedule in exchange time, steps and troubleshooting are in doc_md."""
    text = ast.get_docstring(tree(path), clean=False) or ""
    for heading in HEADINGS:
        assert heading in text, f"{path.name} lacks {heading}"
    assert "doc_md=__doc__" in path.read_text(encoding="utf-8")
