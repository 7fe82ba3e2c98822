"""Which member a published ranking means, where it gives a name and no number.

Names are padded, written in full or short, and carry a note such as （代客）. What is left after
padding, notes and the words for "futures company" must name exactly one member as of the date;
anything else stays unresolved and is told by a rule, never guessed.
"""

from __future__ import annotations

NOTE = "[(（](代客|自营|经纪|客户)[)）]$"
WORDS = "(期货|经纪|股份|有限|责任|公司)+$"


def core_sql(column: str) -> str:
    """DuckDB SQL giving the distinguishing part of a member's name; '' for none."""
    bare = f"regexp_replace(coalesce({column}, ''), '[ \u00a0\u3000]+', '', 'g')"
    return f"regexp_replace(regexp_replace({bare}, '{NOTE}', ''), '{WORDS}', '')"
