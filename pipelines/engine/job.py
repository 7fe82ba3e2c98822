"""Jobs: pure functions that build a set of intervals of one product.

A job is declared beside its function, with literals only, so that the planner
can read every declaration from the source without importing Spark::

    @job("silver.trade", version=1, inputs=(same("bronze.trade"), as_of("silver.contract")))
    def trade(inputs: Inputs) -> DataFrame: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.errors import TerminalError
from contracts.model import Contract, How, Read

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.engine.calendar import TradingCalendar

Build = Callable[["Inputs"], "DataFrame"]
F = TypeVar("F", bound=Callable[..., Any])

ATTRIBUTE = "__exlake_job__"


def same(product: str, *, optional: bool = False, alternative: bool = False) -> Read:
    """Read the same interval.

    ``optional``: build without it when it is not there; one that is there and blocked holds.
    ``alternative``: optional, and an absent one is no gap: another source tells the same facts.
    """
    return Read(
        product=product, how="same", optional=optional or alternative, alternative=alternative
    )


def previous(product: str, n: int = 1) -> Read:
    """Read the ``n`` trade dates before the interval; a missing one is a declared fact."""
    return Read(product=product, how="previous", n=n, optional=True)


def as_of(product: str, *, optional: bool = False) -> Read:
    """Read a dimension as valid on the interval's date."""
    return Read(product=product, how="as_of", optional=optional)


def latest(product: str, *, optional: bool = False) -> Read:
    """Read the newest full delivery of a snapshot."""
    return Read(product=product, how="latest", optional=optional)


def history(product: str, *, optional: bool = False, alternative: bool = False) -> Read:
    """Read every effective delivery, or every published interval; only interval ``all`` may.

    ``alternative``: as for ``same``.
    """
    return Read(
        product=product, how="history", optional=optional or alternative, alternative=alternative
    )


class UndeclaredReadError(TerminalError):
    """Raised when a job reads what it did not declare: the graph would not know of it."""

    code = "undeclared-read"

    def __init__(self, product: str, read: str, how: str | None, declared: tuple[Read, ...]):
        self.read = read
        self.how = how
        names = ", ".join(f"{r.how}({r.product})" for r in declared) or "nothing"
        super().__init__(
            f"the job reads {how or 'any'}({read}); it declares {names}.",
            next_step="add the input to the @job declaration and raise its version.",
            product=product,
        )


@dataclass(frozen=True)
class Inputs:
    """What a job is given: its session, the wanted intervals and pinned inputs.

    ``intervals`` are ISO trade dates, oldest first, or ``("all",)``. ``reader`` is the
    engine's: it returns the rows of a declared input pinned at an exact version, an empty
    frame of the contract's schema for an optional input that is not there.
    """

    spark: SparkSession
    intervals: tuple[str, ...]
    contract: Contract
    catalogue: Mapping[str, Contract] | Any
    calendar: TradingCalendar
    declared: tuple[Read, ...]
    reader: Callable[[Read], DataFrame]

    def read(self, product: str, how: How | None = None) -> DataFrame:
        """Rows of a declared input; ``how`` may be left out when there is only one.

        Raises UndeclaredReadError for anything the declaration does not name.
        """
        found = [r for r in self.declared if r.product == product and how in (None, r.how)]
        if len(found) != 1:
            raise UndeclaredReadError(self.contract.product, product, how, self.declared)
        return self.reader(found[0])


@dataclass(frozen=True)
class Job:
    """One declaration: which product, which version of the code, which inputs.

    ``module`` and ``function`` name the code; ``load`` imports it (and Spark).
    """

    product: str
    version: int
    inputs: tuple[Read, ...]
    module: str
    function: str
    build: Build | None = None

    def load(self) -> Build:
        """The function itself; imports its module on the first use."""
        if self.build is not None:
            return self.build
        from importlib import import_module

        build: Build = getattr(import_module(self.module), self.function)
        return build


def job(product: str, *, version: int, inputs: tuple[Read, ...]) -> Callable[[F], F]:
    """Declare the decorated function as the job of ``product``.

    ``version`` is a positive integer that changes when the code's meaning changes
    (``python -m pipelines.engine.versions --write`` records it).
    """

    def register(function: F) -> F:
        declared = Job(
            product=product,
            version=version,
            inputs=inputs,
            module=function.__module__,
            function=function.__name__,
            build=function,
        )
        setattr(function, ATTRIBUTE, declared)
        return function

    return register


def job_of(function: Callable[..., Any]) -> Job:
    """The declaration of a decorated function (tests and one-off jobs use it)."""
    declared: Job = getattr(function, ATTRIBUTE)
    return declared
