"""The date that a file's own rows give it, where neither its name nor a manifest does."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

_YEAR, _MONTH, _DAY = "(?P<y>[12][0-9]{3})", "0?[1-9]|1[0-2]", "0?[1-9]|[12][0-9]|3[01]"
_DATE = (
    rf"^[\s\"]*{_YEAR}(?:[-/.](?P<m>{_MONTH})[-/.](?P<d>{_DAY})"
    r"|(?P<mm>0[1-9]|1[0-2])(?P<dd>0[1-9]|[12][0-9]|3[01]))(?:[^0-9]|$)"
)


def latest_date(texts: pa.Array, so_far: str | None = None) -> str | None:
    """The latest date (ISO) at the beginning of any text, or ``so_far``; None when there is none.

    Read are YYYYMMDD, YYYY-MM-DD, YYYY/M/D and YYYY.M.D, whatever follows, also between the quotes
    of a JSON text; other texts are passed over, they are for the rules to judge.
    """
    found = pc.extract_regex(texts.drop_null().unique(), pattern=_DATE).drop_null()
    if not len(found):
        return so_far
    part = {name: found.field(name) for name in ("y", "m", "d", "mm", "dd")}
    month = pc.utf8_lpad(pc.binary_join_element_wise(part["m"], part["mm"], ""), 2, "0")
    day = pc.utf8_lpad(pc.binary_join_element_wise(part["d"], part["dd"], ""), 2, "0")
    days = pc.unique(pc.binary_join_element_wise(part["y"], month, day, "-")).to_pylist()
    real = [text for text in days if _exists(text)]
    return max([*real, so_far or ""]) or None


def _exists(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
