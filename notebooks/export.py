"""Run the notebooks and write each as one HTML file that needs nothing from outside.

``python -m notebooks.export [FOLDER]``. marimo's own ``marimo export html`` writes pages that load
its programs from a public server when they are looked at; these are plain tables, text and SVG.
"""

from __future__ import annotations

import html
import runpy
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOTEBOOKS = ("discover", "contract_day", "product_quality")
MOST_ROWS = 200
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
body { font: 15px/1.6 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 70rem; margin: 2rem
  auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; margin: .5rem 0 }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: left;
  white-space: nowrap } th { background: #f2f2f2 }
pre { background: #f6f6f6; padding: .6rem; overflow-x: auto; font-size: 12px }
summary { color: #555; cursor: pointer; font-size: 12px }
"""


def export(name: str, folder: Path) -> Path:
    """Run one notebook on the lake of ``EXLAKE_HOME`` and write ``folder/name.html``."""
    source = HERE / f"{name}.py"
    app = runpy.run_path(str(source))["app"]
    outputs, _ = app.run()
    cells = list(app._cell_manager.codes())
    parts = [
        _shown(output) + (_code(code) if not code.lstrip().startswith("mo.md") else "")
        for code, output in zip(cells, outputs, strict=True)
    ]
    title = html.escape(str(app._config.app_title or name))
    body = "\n".join(parts)
    page = (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<style>{STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.html"
    target.write_text(page, encoding="utf-8")
    return target


def _shown(output: Any) -> str:
    """An output as HTML: what came from data is escaped, what the notebook wrote is not."""
    if output is None:
        return ""
    if hasattr(output, "to_html"):
        more = len(output) - MOST_ROWS
        note = f"<p>… {more:,} more rows 更多行</p>" if more > 0 else ""
        texts = output.head(MOST_ROWS).astype(object).map(_text)
        body = texts.to_html(index=False, escape=True, border=0)
        return f'<div class="wide" tabindex="0">{body}</div>{note}'
    if hasattr(output, "text"):  # mo.md and mo.Html
        return str(output.text)
    return f"<pre>{html.escape(str(output))}</pre>"


def _text(value: Any) -> str:
    """A cell: empty for null, whole numbers without a point, dates without midnight."""
    if value is None or value != value or str(value) == "NaT":
        return ""
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return str(value).removesuffix(" 00:00:00")


def _code(code: str) -> str:
    return f"<details><summary>code 代码</summary><pre>{html.escape(code)}</pre></details>"


if __name__ == "__main__":
    target_folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("notebooks-html")
    for notebook in NOTEBOOKS:
        print(export(notebook, target_folder))
