"""Who gets a Team's mails about payments beside the Owner and whoever has the Billing right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext

from billing.models import BillingContact
from teams.models import AuditEntry, Team, User
from teams.services import mail
from teams.services.audit import Details, record
from teams.services.locks import lock_team
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_email
from tokenplan.kit.transactions import one_transaction

MOST = 10
# How often they may be changed in 24 hours: each may get mails that they have not asked for.
MOST_CHANGES = 10


@one_transaction()
def set_contacts(*, team: Team, emails: Iterable[str], by: User | None, at: datetime) -> list[str]:
    """These addresses are the Team's contacts from now on; returns them in their one form, by the alphabet.
    Raises InvalidValue for a wrong one, and for more than MOST.
    """
    wanted = sorted({clean_email(email, pointer="/contacts") for email in emails})
    if len(wanted) > MOST:
        refused = gettext("At most %(most)s addresses can be named.") % {"most": MOST}
        raise InvalidValue(refused, pointer="/contacts")
    team = lock_team(team)
    rows = BillingContact.objects.for_team(team)
    changes = AuditEntry.objects.filter(team=team, action="billing.contacts", at__gt=at - timedelta(hours=24))
    before = sorted(rows.values_list("email", flat=True))
    if before == wanted:
        return wanted
    if changes.count() >= MOST_CHANGES:
        refused = gettext("These addresses can be changed %(most)s times in 24 hours. Try again tomorrow.")
        raise InvalidValue(refused % {"most": MOST_CHANGES}, pointer="/contacts")
    gone = [row.pk for row in rows if row.email not in wanted]
    rows.filter(pk__in=gone).delete()
    mail.take_back(*(f"contact:{pk}:" for pk in gone))
    added = [BillingContact(team=team, email=email, created_at=at) for email in wanted if email not in before]
    BillingContact.objects.bulk_create(added)
    details: Details = {"before": ", ".join(before), "after": ", ".join(wanted)}
    record(team=team, by=by, action="billing.contacts", subject=team.name, details=details, at=at)
    return wanted
