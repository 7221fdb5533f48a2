"""The support desk on the front page of the admin: the search box, and what waits for somebody."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.selectors.job_health import job_health
from billing.selectors.support_lists import Waiting
from quota.admin.advice import REFUSED, SEE_DETAIL
from teams.services.mail import subject_of

register = template.Library()
register.filter(subject_of)


@register.filter
def what_to_do(code: str) -> str:
    """What an operator can do about a call that was refused with this code."""
    return str(REFUSED.get(code, SEE_DETAIL))


@register.inclusion_tag("admin/support/front.html", takes_context=True)
def support_front(context: template.RequestContext) -> dict[str, Any]:
    """Lists that the operator may see, each with how much is in it and what to do about it."""
    user, at = context["user"], timezone.now()
    waiting = Waiting(at)
    lists = [
        (
            "quota.view_quarantinedrow",
            "quota_quarantinedrow",
            "?state=waiting",
            _("In quarantine"),
            waiting.quarantined,
            _("Mend what was wrong, such as a price that was missing, and replay them; or write them off."),
        ),
        (
            "billing.view_stripeevent",
            "billing_stripeevent",
            "?state=dead",
            _("Inbox: given up"),
            waiting.given_up,
            _("Stripe does not know what they are about. Replay one if it ought to know it by now."),
        ),
        (
            "billing.view_stripeevent",
            "billing_stripeevent",
            "?state=failing",
            _("Inbox: failed so far"),
            waiting.failing,
            _("They are tried again by themselves. What the error says is to be mended."),
        ),
        (
            "teams.view_mail",
            "teams_mail",
            "?sent_at__isempty=1",
            _("Mails that could not be sent"),
            waiting.unsent,
            _("They are tried again by themselves. If the mail server is well, send one again by hand."),
        ),
        (
            "teams.view_jobrun",
            "teams_jobrun",
            "",
            _("Jobs that are not well"),
            lambda: sum(not job.is_well for job in job_health(at)),
            _("See when each ran, why it failed, and whether it is late."),
        ),
        (
            "quota.view_refusedcall",
            "quota_refusedcall",
            "",
            _("Refused calls, last 24 hours"),
            waiting.refused,
            _("Each says why. Many of one key: its person may need a seat, or Credits."),
        ),
        (
            "quota.view_reservation",
            "quota_reservation",
            "?lapsed=day",
            _("Lapsed holds, last 24 hours"),
            waiting.lapsed,
            _("Their gateway said nothing in time. Many of one gateway: see whether it is well."),
        ),
    ]
    return {
        "lists": [
            (label, count(), reverse(f"admin:{page}_changelist") + query, advice)
            for right, page, query, label, count, advice in lists
            if user.has_perm(right)
        ],
        "csrf_token": context.get("csrf_token"),
    }
