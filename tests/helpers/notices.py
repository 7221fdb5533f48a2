"""The sweep of notices while the mail server is well: what it queues has left before it runs again."""

from __future__ import annotations

from datetime import datetime

from quota.services import notices
from teams.services.mail import deliver_due


def send_notices(*, at: datetime) -> int:
    """Returns how many mails."""
    sent = notices.send_notices(at=at)
    deliver_due(at=at)
    return sent
