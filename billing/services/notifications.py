"""Mails about money, queued in the transaction that causes them: to the Owner of a Team, and to operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.formats import date_format

from teams.models import Membership, Team, User
from teams.services import mail
from tokenplan.kit.transactions import one_transaction


def notify_owner(*, team: Team, kind: str, dedupe_key: str, at: datetime, **context: str | int) -> None:
    """Once per `dedupe_key`. Of a Team that was deleted nobody is notified."""
    owner = Membership.objects.owner_of(team)
    if owner is None:
        return
    shared: dict[str, str | int] = {"team": team.name, "slug": team.slug, "at": moment_words(at)}
    mail.queue(kind=kind, to=owner.user.email, context={**shared, **context}, dedupe_key=dedupe_key, at=at)


@one_transaction()
def notify_operators(*, unrepaired: Sequence[str], at: datetime) -> None:
    """What differs from Stripe and could not be repaired, once a day."""
    for operator in User.objects.filter(is_staff=True, is_active=True):
        mail.queue(
            kind="stripe_differs",
            to=operator.email,
            context={"lines": "\n".join(unrepaired[:50]), "count": len(unrepaired)},
            dedupe_key=f"stripe_differs:{at:%Y-%m-%d}:{operator.pk}",
            at=at,
        )


def moment_words(moment: datetime) -> str:
    """As mails say it."""
    return date_format(moment, "j F Y, H:i") + " UTC"
