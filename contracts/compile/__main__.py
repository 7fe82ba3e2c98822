"""``python -m contracts.compile``: rewrite the committed suites from the contracts."""

from __future__ import annotations

import sys

from contracts.catalogue import load_catalogue
from contracts.compile.written import write_suites
from contracts.errors import ExlakeError

if __name__ == "__main__":
    try:
        for path in write_suites(load_catalogue()):
            print(f"quality/suites/{path}")
    except ExlakeError as error:
        sys.exit(str(error))
