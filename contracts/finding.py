"""What lint and diff report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.yaml_text import ContractInvalidError, YamlPath, line_of, path_text


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend: where it is, what is wrong, how to put it right.

    ``file`` is relative to the folder that holds the contracts folder; ``line`` counts from 1.
    """

    file: str
    line: int | None
    path: str
    message: str
    mend: str

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else self.file
        return f"{at} {self.path}: {self.message} -> {self.mend}"


def finding(root: Path, file: Path, path: YamlPath, message: str, mend: str) -> Finding:
    """Build a finding, with its line looked up."""
    return Finding(shown(root, file), line_of(file, path), path_text(path), message, mend)


def from_error(root: Path, error: ContractInvalidError) -> Finding:
    """Turn a loader's refusal into a finding."""
    return Finding(
        shown(root, Path(error.file)), error.line, path_text(error.path), error.problem, error.mend
    )


def shown(root: Path, file: Path) -> str:
    """Return the path people see: ``contracts/silver/trade.yaml``."""
    base = root.resolve().parent
    resolved = file.resolve()
    return str(resolved.relative_to(base) if resolved.is_relative_to(base) else file)
