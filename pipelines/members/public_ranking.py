"""The published rankings beside the member's own figures, contract by contract."""

from __future__ import annotations

from pipelines.members.names import core_sql

KINDS = {"volume": ("VOLUME", "lots"), "long": ("LONG", "long"), "short": ("SHORT", "short")}
"""Figure -> ranking, and the member's own lots it is compared with: volume counts a member's own
sides of trades and positions one side, as the exchange's lists did before 2020 as well."""

RANKED = f"""
WITH named AS (
  SELECT on_date, core, min(member_id) AS member_id FROM (
    SELECT on_date, member_id, {core_sql("short_name")} AS core FROM member
    UNION
    SELECT on_date, member_id, {core_sql("name_zh")} AS core FROM member
  ) WHERE core <> '' GROUP BY on_date, core HAVING count(DISTINCT member_id) = 1
), public AS (
  SELECT r.trade_date, r.contract_id, r.rank_kind, r.lots,
    coalesce(r.member_id, n.member_id) AS member_id
  FROM ranking r
  LEFT JOIN named n ON n.on_date = r.trade_date AND n.core = {core_sql("r.member_name")}
), kinds AS (
  SELECT trade_date, member_id, contract_id, 'VOLUME' AS rank_kind, lots AS own FROM own
  UNION ALL
  SELECT trade_date, member_id, contract_id, 'LONG', long FROM own
  UNION ALL
  SELECT trade_date, member_id, contract_id, 'SHORT', short FROM own
), listed AS (
  SELECT DISTINCT trade_date, contract_id, rank_kind FROM ranking
)
SELECT coalesce(p.trade_date, k.trade_date) AS trade_date,
  coalesce(p.member_id, k.member_id) AS member_id,
  coalesce(p.rank_kind, k.rank_kind) AS rank_kind,
  count(p.lots) AS places, sum(p.lots) AS public_lots,
  sum(CASE WHEN p.lots IS NOT NULL THEN coalesce(k.own, 0) END) AS own_lots,
  count_if(p.lots IS NULL AND k.own > 0 AND l.contract_id IS NOT NULL) AS censored
FROM (SELECT * FROM public WHERE member_id IS NOT NULL) p
FULL JOIN kinds k ON k.trade_date = p.trade_date AND k.member_id = p.member_id
  AND k.contract_id = p.contract_id AND k.rank_kind = p.rank_kind
LEFT JOIN listed l ON l.trade_date = k.trade_date AND l.contract_id = k.contract_id
  AND l.rank_kind = k.rank_kind
GROUP BY ALL
"""
"""DuckDB SQL over ``ranking``, ``own`` (lots by member and contract) and ``member``: one row per
member, date and kind of ranking, with places, public and own lots in the same contracts, and the
contracts where it has lots and no place (censored: unknown, not zero)."""
RANKING = "SELECT trade_date, contract_id, rank_kind, member_id, member_name, lots FROM {rows}"
OWN = """
SELECT trade_date, member_id, contract_id, sum(traded_lots) AS lots, sum(end_long_lots) AS long,
  sum(end_short_lots) AS short
FROM {rows} GROUP BY trade_date, member_id, contract_id
"""
