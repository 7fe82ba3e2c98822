"""All contracts and standards of one folder, loaded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contracts.errors import TerminalError
from contracts.load import LAYERS, load_contract
from contracts.model import Contract
from contracts.standards import Audience, CodeList, FieldDefinition, Standards, load_standards

HOME = Path(__file__).parent


class UnknownProductError(TerminalError):
    """Raised when a product is named that no contract describes; ``known`` lists near names."""

    code = "unknown-product"

    def __init__(self, product: str, known: tuple[str, ...]) -> None:
        self.known = known
        from difflib import get_close_matches

        near = get_close_matches(product, known, n=3, cutoff=0.5) or list(known[:5])
        super().__init__(
            "no contract describes this product.",
            product=product,
            next_step=f"Did you mean {', '.join(near) or 'nothing: there are no contracts'}? "
            "`exlake contracts list` names them all.",
        )


@dataclass(frozen=True)
class Catalogue:
    """Every contract by product name, and the standards they share."""

    contracts: Mapping[str, Contract]
    standards: Standards

    def __getitem__(self, product: str) -> Contract:
        try:
            return self.contracts[product]
        except KeyError:
            raise UnknownProductError(product, tuple(self.contracts)) from None

    def __contains__(self, product: object) -> bool:
        return product in self.contracts

    def __iter__(self) -> Iterator[str]:
        return iter(self.contracts)

    def __len__(self) -> int:
        return len(self.contracts)

    @property
    def code_lists(self) -> Mapping[str, CodeList]:
        """Code lists by name."""
        return self.standards.code_lists

    @property
    def fields(self) -> Mapping[str, FieldDefinition]:
        """Field definitions by name."""
        return self.standards.fields

    @property
    def audiences(self) -> Mapping[str, Audience]:
        """Audiences by name."""
        return self.standards.audiences

    def layer(self, layer: str) -> tuple[Contract, ...]:
        """Return the contracts of one layer, by name."""
        return tuple(c for c in self.contracts.values() if c.layer == layer)

    def flow(self, flow: str) -> tuple[Contract, ...]:
        """Return the contracts one DAG carries."""
        return tuple(c for c in self.contracts.values() if c.flow == flow)


def contract_files(root: Path) -> tuple[Path, ...]:
    """Return the YAML files of all products, layer by layer, by name."""
    return tuple(f for layer in LAYERS for f in sorted((root / layer).glob("*.yaml")))


def load_catalogue(root: Path | None = None) -> Catalogue:
    """Load every contract under ``root`` (default: this package's folder, loaded once).

    Raises ContractInvalidError for the first file that cannot be read.
    """
    return _default() if root is None else _load(Path(root))


@cache
def _default() -> Catalogue:
    return _load(HOME)


def _load(root: Path) -> Catalogue:
    standards = load_standards(root / "standards")
    contracts = (load_contract(f, standards) for f in contract_files(root))
    return Catalogue({c.product: c for c in contracts}, standards)
