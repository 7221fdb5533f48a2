"""Mails to the Owner of a Team, queued in the transaction that causes them."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format

from teams.models import Membership, Role, Team
from teams.services import mail


def tell_owner(*, team: Team, kind: str, key: str, at: datetime, **context: str | int) -> None:
    """Once per `key`. A Team that was deleted has nobody to tell."""
    owner = Membership.objects.for_team(team).live().select_related("user").filter(role=Role.OWNER).first()
    if owner is None:
        return
    shared: dict[str, str | int] = {"team": team.name, "slug": team.slug, "at": moment_words(at)}
    mail.queue(kind=kind, to=owner.user.email, context={**shared, **context}, dedupe_key=key, at=at)


def moment_words(moment: datetime) -> str:
    """As mails say it."""
    return date_format(moment, "j F Y, H:i") + " UTC"
