"""Jobs are found in the source, without importing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.discovery import JobDeclarationError, discover
from pipelines.engine.job import Inputs, UndeclaredReadError, as_of, job, job_of, previous, same
from tests.pipelines.engine.planning import CALENDAR, contract

HEAD = "from pyspark.sql import DataFrame\nimport no_such_library\n"


def _module(root: Path, text: str, name: str = "trade.py", area: str = "trading") -> None:
    (root / area).mkdir(exist_ok=True)
    (root / area / name).write_text(HEAD + text)


def test_declarations_are_read_from_the_source(tmp_path: Path) -> None:
    """Literals, named constants and optional inputs are understood; engine folders are not."""
    _module(
        tmp_path,
        "DIMENSIONS = (as_of('silver.client'),)\n"
        "@job('silver.trade', version=3, inputs=(same('bronze.trade'), *DIMENSIONS,\n"
        "     previous('silver.day', 2), same('bronze.x', optional=True)))\n"
        "def trade(inputs): ...\n",
    )
    _module(
        tmp_path, "@job('silver.no', version=1, inputs=())\ndef no(inputs): ...\n", area="engine"
    )
    found = discover(tmp_path, "house")
    assert list(found) == ["silver.trade"]
    trade = found["silver.trade"]
    assert (trade.version, trade.module, trade.function) == (3, "house.trading.trade", "trade")
    assert trade.inputs == (
        same("bronze.trade"),
        as_of("silver.client"),
        previous("silver.day", 2),
        same("bronze.x", optional=True),
    )


@pytest.mark.parametrize(
    ("declaration", "says"),
    [
        ("@job('silver.trade', version=next(x), inputs=())", "is not a literal"),
        ("@job('silver.trade', version=0, inputs=())", "positive integer"),
        ("@job('trade', version=1, inputs=())", "layer.name"),
        ("@job('silver.trade', version=1)", "needs a product"),
        ("@job('silver.trade', version=1, inputs=('bronze.trade',))", "inputs must be"),
        ("@job('silver.trade', version=1, inputs=(same(),))", "same"),
    ],
)
def test_unreadable_declarations_are_refused(tmp_path: Path, declaration: str, says: str) -> None:
    """A declaration that cannot be read is an error with its place, never a lost job."""
    _module(tmp_path, f"{declaration}\ndef trade(inputs): ...\n")
    with pytest.raises(JobDeclarationError, match=says):
        discover(tmp_path)


def test_a_product_has_one_job(tmp_path: Path) -> None:
    """Two jobs of one product are an error that names both places."""
    text = "@job('silver.trade', version=1, inputs=())\ndef trade(inputs): ...\n"
    _module(tmp_path, text)
    _module(tmp_path, text, name="again.py")
    with pytest.raises(JobDeclarationError, match="declared in"):
        discover(tmp_path)


def test_jobs_read_only_what_they_declare() -> None:
    """Reading anything else is an error: the graph would not know of it."""

    @job("silver.trade", version=2, inputs=(same("bronze.trade"), as_of("silver.client")))
    def trade(inputs: Inputs) -> object:
        return inputs.read("bronze.trade")

    declared = job_of(trade)
    assert declared.version == 2
    inputs = Inputs(
        spark=None,  # type: ignore[arg-type]  # no session is needed to ask
        intervals=("2026-01-05",),
        contract=contract("silver.trade"),
        catalogue={},
        calendar=CALENDAR,
        declared=declared.inputs,
        reader=lambda read: read,  # type: ignore[arg-type,return-value]  # shows what was asked
    )
    assert declared.load()(inputs) == same("bronze.trade")
    assert inputs.read("silver.client") == as_of("silver.client")
    for product, how in (("silver.client", "same"), ("silver.member", None)):
        with pytest.raises(UndeclaredReadError):
            inputs.read(product, how)  # type: ignore[arg-type]  # parametrised
