"""Where messages go: the log always, SMTP and a webhook when set. Each send says how it ended.

Nothing raised here may hold a secret: addresses with passwords are taken out of every error.
"""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pipelines.engine.rows import MessageRow
    from pipelines.engine.settings import Settings

log = logging.getLogger("exlake.messages")
TIMEOUT = 10.0
BEIJING = ZoneInfo("Asia/Shanghai")
Send = Callable[["MessageRow"], None]


def channels(settings: Settings) -> dict[str, Send]:
    """The channels that are set, by name; each sends one message or raises."""
    found: dict[str, Send] = {"log": to_log}
    if settings.messages_smtp and settings.messages_to:
        found["smtp"] = lambda row: by_smtp(settings, row)
    if settings.messages_webhook:
        found["webhook"] = lambda row: by_webhook(settings, row)
    return found


def to_log(row: MessageRow) -> None:
    """One line, the body behind it."""
    log.warning("%s\n%s", row.subject, row.body.rstrip())


def by_smtp(settings: Settings, row: MessageRow) -> None:
    """Send one e-mail; its Message-ID is the message's, so a second copy can be told."""
    assert settings.messages_smtp is not None
    parts = urlsplit(settings.messages_smtp.get_secret_value())
    mail = EmailMessage()
    mail["Subject"] = " ".join(row.subject.split())
    mail["From"] = settings.messages_from
    mail["To"] = settings.messages_to
    mail["Message-ID"] = f"<{row.message_id}@exlake>"
    mail["X-Exlake-Message"] = row.message_id
    mail.set_content(row.body)
    host, tls = str(parts.hostname), ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT, context=tls)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT)
    with server:
        if parts.scheme == "smtp+starttls":
            server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A webhook that moved is an error: the message goes where it was set to go."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow nothing."""


def by_webhook(settings: Settings, row: MessageRow) -> None:
    """POST one JSON object; ``Idempotency-Key`` is the message's id. Any answer but 2xx raises."""
    assert settings.messages_webhook is not None
    body = {
        "id": row.message_id,
        "kind": row.kind,
        "subject": row.subject,
        "text": row.body,
        "changes": [vars(change) for change in row.changes],
        "at": row.at.isoformat(),
    }
    request = urllib.request.Request(
        settings.messages_webhook.get_secret_value(),
        json.dumps(body, ensure_ascii=False).encode(),
        {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": row.message_id},
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=TIMEOUT):
        pass


def said(error: Exception, settings: Settings) -> str:
    """An error in one line, without what is secret in the settings."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    for secret in (settings.messages_smtp, settings.messages_webhook):
        if secret is None:
            continue
        whole = secret.get_secret_value()
        parts = urlsplit(whole)
        hidden = {whole, parts.password, parts.query, parts.path.strip("/")}
        for each in sorted((h for h in hidden if h), key=len, reverse=True):
            text = text.replace(each, "…")
    return text


def quiet(windows: str, now: datetime) -> bool:
    """True within hours of silence (``22:00-07:00,12:00-13:00``, Beijing time).

    >>> quiet("22:00-07:00", datetime.fromisoformat("2026-01-05T06:59+08:00"))
    True
    """
    at = now.astimezone(BEIJING).time()
    for window in filter(None, windows.split(",")):
        begin, end = (time.fromisoformat(each) for each in window.split("-"))
        if (begin <= at < end) if begin <= end else (at >= begin or at < end):
            return True
    return False
