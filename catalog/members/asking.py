"""Questions about members, answered from the published file of an audience."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from catalog.query import run_query
from contracts.errors import TerminalError
from contracts.tag_catalogue import MEMBER, WINDOW

if TYPE_CHECKING:
    from contracts.catalogue import Catalogue
    from pipelines.engine.settings import Settings

Row = dict[str, Any]


class UnknownMemberError(TerminalError):
    """Raised when no profile is published for a member, or none at all for a date."""

    code = "unknown-member"

    def __init__(self, member_id: str | None, day: date | None) -> None:
        who = f"member {member_id!r}" if member_id else "any member"
        when = f" on {day}" if day else ""
        super().__init__(
            f"no profile of {who} is published{when}.",
            next_step="`exlake members list` shows the members of the newest date; build with "
            "`exlake run --product gold.member_profile`, then `exlake publish`.",
            product="gold.member_profile",
        )


@dataclass(frozen=True)
class Desk:
    """Who asks: a lake's published file of one audience."""

    settings: Settings
    catalogue: Catalogue
    audience: str = "surveillance"

    def ask(self, query: str) -> list[Row]:
        """Rows of one query. Raises the errors of ``catalog.query``."""
        found = run_query(
            self.settings, self.catalogue, query, audience=self.audience, limit=1_000_000
        )
        names = [column.name for column in found.columns]
        return [dict(zip(names, row, strict=True)) for row in found.rows]

    def newest(self) -> date:
        """The newest date with profiles. Raises UnknownMemberError when there is none."""
        [row] = self.ask("SELECT max(trade_date) AS day FROM gold.member_profile")
        if row["day"] is None:
            raise UnknownMemberError(None, None)
        return row["day"]  # type: ignore[no-any-return]

    def league(self, day: date) -> list[Row]:
        """Profiles of a date, the largest member first. Raises UnknownMemberError for none."""
        rows = self.ask(
            f"SELECT * FROM gold.member_profile WHERE trade_date = DATE '{day}' "
            "ORDER BY volume_rank NULLS LAST, member_id"
        )
        if not rows:
            raise UnknownMemberError(None, day)
        return rows

    def profile(self, member_id: str, day: date) -> Row:
        """One member's profile. Raises UnknownMemberError."""
        rows: list[Row] = []
        if MEMBER.fullmatch(member_id):
            rows = self.ask(
                f"SELECT * FROM gold.member_profile WHERE trade_date = DATE '{day}' "
                f"AND member_id = '{member_id}'"
            )
        if not rows:
            raise UnknownMemberError(member_id, day)
        return rows[0]

    def tags(self, day: date, member_id: str | None = None) -> list[Row]:
        """Tag rows of a date, of all members or of one (a member number)."""
        one = f"AND member_id = '{member_id}'" if member_id else ""
        return self.ask(
            f"SELECT * FROM gold.member_tag WHERE trade_date = DATE '{day}' {one} "
            "ORDER BY member_id, tag_id"
        )

    def history(self, day: date, tag_ids: tuple[str, ...]) -> list[Row]:
        """Values of some tags over the date and the stored dates of the window before it."""
        names = ", ".join(f"'{tag}'" for tag in tag_ids)
        return self.ask(
            "SELECT member_id, tag_id, trade_date, value FROM gold.member_tag "
            f"WHERE tag_id IN ({names}) AND trade_date IN (SELECT DISTINCT trade_date FROM "
            f"gold.member_tag WHERE trade_date <= DATE '{day}' ORDER BY 1 DESC LIMIT {WINDOW + 1}) "
            "ORDER BY trade_date"
        )

    def state(self, day: date) -> Row:
        """State of the date's profiles as readers must know it: ``state`` and ``partial``."""
        rows = self.ask(
            "SELECT state, partial FROM _meta.interval WHERE product = 'gold.member_profile' "
            f"AND interval = '{day}'"
        )
        return rows[0] if rows else {"state": "unknown", "partial": False}
