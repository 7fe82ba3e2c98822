"""``python -m tests.pipelines.engine.on_storage ORDER``: one order of ``killing``, as JSON.

A process of its own, which begins with the keys in its environment and may die at a fault.
"""

from __future__ import annotations

import json
import sys

from tests.pipelines.engine.killing import Order, work

if __name__ == "__main__":
    body = json.loads(sys.argv[1])
    work(Order(**{**body, "what": tuple(body["what"])}))
