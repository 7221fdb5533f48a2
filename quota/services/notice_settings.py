"""What a person chooses to be mailed about."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext as _

from quota.models import NoticeSettings
from quota.models.notice_settings import THRESHOLDS
from quota.services.notices import LOW
from teams.models import User
from teams.services.mail import take_back_kinds
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def set_notices(
    *, user: User, thresholds: Collection[int], credits_low: bool, balance_low: bool
) -> NoticeSettings:
    """At how many percent of a window of their seats the person is mailed (none: never), and whether of a
    Team's Credits, or API balance, that run low, where they manage the Team. What waits of a kind that is not
    wanted any more is not mailed. Raises InvalidValue.
    """
    if not set(thresholds) <= set(THRESHOLDS):
        raise InvalidValue(_("Choose among 50, 80, 95 and 100 percent."), pointer="/thresholds")
    settings, _is_new = NoticeSettings.objects.update_or_create(
        user=user,
        defaults={
            "thresholds": sorted(set(thresholds)),
            "credits_low": credits_low,
            "balance_low": balance_low,
        },
    )
    unwanted = [f"quota_{threshold}" for threshold in set(THRESHOLDS) - set(thresholds)]
    unwanted += [kind for kind in LOW.values() if not getattr(settings, kind)]
    take_back_kinds(unwanted, to=user.email)
    return settings
