# ruff: noqa: E501 - YAML as people write it, one rule to a line
"""A small contracts folder to change and break."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

FIELDS = """\
trade_date: {type: date, title: Trade date, title_zh: 交易日, description: Trade date.}
deal_id: {type: string, title: Deal, title_zh: 成交号, description: One deal.}
side: {type: string, title: Side, title_zh: 方向, code_list: side, description: Buy or sell.}
client_id: {type: string, title: Client, title_zh: 客户, classification: 3, mask: hash, description: Client.}
price: {type: "decimal(18,4)", title: Price, title_zh: 价格, unit: yuan, critical: true, description: Price.}
lots: {type: bigint, title: Lots, title_zh: 手数, sum: true, description: Quantity.}
valid_from: {type: date, title: From, title_zh: 起, description: First day.}
valid_to: {type: date, title: To, title_zh: 止, description: First day no longer.}
is_current: {type: boolean, title: Current, title_zh: 当前, description: Open row.}
known_from: {type: date, title: Known from, title_zh: 知起, description: Delivery.}
known_to: {type: date, title: Known to, title_zh: 知止, description: Replacing delivery.}
"""
CODES = """\
side: {title: Side, title_zh: 方向, values: {B: [Buy, 买], S: [Sell, 卖]}}
"""
AUDIENCES = """\
analyst: {clearance: "2", title: Analysts, title_zh: 分析, description: Masked.}
surveillance: {clearance: "4", title: Surveillance, title_zh: 监察, description: In clear.}
"""
_HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: {product}
name: {product}
version: 1.0.0
status: active
domain: test
description:
  purpose: A table made for tests.
team:
  members:
    - {{username: anna, role: owner}}
    - {{username: bo, role: steward}}
slaProperties:
  - {{property: due, value: "17:00"}}
  - {{property: retention, value: 30, unit: d}}
customProperties:
  - {{property: titleZh, value: 测试}}
  - {{property: flow, value: trading_day}}
"""
DEAL = (
    _HEAD.format(product="silver.deal")
    + r"""
  - {property: lineage, value: row}
  - {property: audiences, value: [analyst]}
schema:
  - name: deal
    businessName: Deals
    properties:
      - {name: trade_date, primaryKey: true}
      - {name: deal_id, primaryKey: true}
      - {name: side}
      - {name: client_id}
      - name: price
        quality:
          - {type: custom, engine: exlake, implementation: {kind: range, min: "0.05", max: 100, exclusive_max: true}}
      - name: lots
        quality:
          - {type: custom, engine: exlake, severity: warning, implementation: {kind: range, min: 1}}
      - name: memo
        physicalType: string
        businessName: Memo
        description: A free text.
        customProperties: [{property: titleZh, value: 备注}]
    quality:
      - {name: deal.row_count, type: custom, engine: exlake, severity: critical, implementation: {kind: row_count}}
      - {name: deal.client.form, type: custom, engine: exlake, implementation: {kind: matches, column: client_id, pattern: '[0-9]{3}'}}
      - {name: deal.client.known, type: custom, engine: exlake, implementation: {kind: reference, column: client_id, to: silver.client}}
      - {name: deal.memo.buy, type: custom, engine: exlake, description: A buyer's memo differs from its number., implementation: {kind: expression, sql: "side <> 'B' OR memo <> deal_id"}}
      - name: deal.client.lots
        type: custom
        engine: exlake
        severity: critical
        description: A client deals at most ten lots a day.
        implementation:
          kind: rows
          tolerance: 0.5
          effective_from: 2026-01-05
          sql: |
            SELECT b.trade_date, b.deal_id FROM batch b
            JOIN (SELECT trade_date, client_id FROM batch
                  GROUP BY trade_date, client_id HAVING sum(lots) > 10) t
              ON t.trade_date = b.trade_date AND t.client_id = b.client_id
"""
)
CLIENT = (
    _HEAD.format(product="silver.client")
    + """
  - {property: scd2, value: true}
schema:
  - name: client
    businessName: Clients
    properties:
      - {name: client_id, primaryKey: true}
      - {name: valid_from, primaryKey: true}
      - {name: valid_to}
      - {name: is_current}
      - {name: known_from, primaryKey: true}
      - {name: known_to}
"""
)


def write_root(folder: Path) -> Path:
    """Write the folder: standards, silver.deal and the dimension silver.client."""
    root = folder / "contracts"
    (root / "standards").mkdir(parents=True)
    (root / "silver").mkdir()
    for name, text in (("fields", FIELDS), ("codes", CODES), ("audiences", AUDIENCES)):
        (root / "standards" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (root / "silver" / "deal.yaml").write_text(DEAL, encoding="utf-8")
    (root / "silver" / "client.yaml").write_text(CLIENT, encoding="utf-8")
    return root


def edit(root: Path, old: str, new: str, file: str = "silver/deal.yaml") -> Path:
    """Replace one passage of a file (it has to be there); return the file."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def squeezed(text: str) -> str:
    """Collapse white space."""
    return re.sub(r"\s+", " ", text)


Edit = Callable[[str, str], Path]
