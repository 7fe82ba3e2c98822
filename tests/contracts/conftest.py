from __future__ import annotations

from pathlib import Path

import pytest
from contract_cases import write_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A contracts folder of two products that lints clean."""
    return write_root(tmp_path)
