"""``python -m tests.pipelines.engine.on_master MASTER HOME``: the small lake, built by a master.

Prints the state of each interval and the portable hash of each product as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from tests.pipelines.engine.small_lake import D1, D2, SmallLake, orders


def main() -> None:
    """Two days, then a correction of the first."""
    master, home = sys.argv[1], Path(sys.argv[2])
    lake = replace(SmallLake.at(home), master=master).deliver_days(D1, D2)
    lake.run()
    lake.deliver("order", D1, orders(D1, o01="10.50"), sequence=2, mode="correction")
    lake.run()
    print(json.dumps({"states": lake.states(), "hashes": lake.hashes()}))


if __name__ == "__main__":
    main()
