"""The chart library of the offline pages: Apache ECharts, from the jar that set-up fetched.

The jar is locked by checksum like Delta's (``setup/jars.json``); pages get the script as a file
beside them, so nothing is fetched when somebody looks at them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

SCRIPT = "echarts.min.js"
TEXTS = {"LICENSE": "echarts.LICENSE.txt", "NOTICE": "echarts.NOTICE.txt"}


def chart_files(jars: Path) -> dict[str, bytes]:
    """The script, its licence and notice as ``{file name: bytes}``; empty when set-up did not
    bring them (pages then show their tables without charts)."""
    for jar in sorted(jars.glob("echarts-*.jar")):
        with zipfile.ZipFile(jar) as packed:
            names = packed.namelist()
            script = next((n for n in names if n.endswith(f"/dist/{SCRIPT}")), None)
            if script is None:
                continue
            root = script.removesuffix(f"dist/{SCRIPT}")
            texts = {to: packed.read(root + n) for n, to in TEXTS.items() if root + n in names}
            return {SCRIPT: packed.read(script)} | texts
    return {}
