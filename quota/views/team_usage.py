"""What a Team used in a range of days: by day, member, model, modality and tag."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.forms import RangeForm
from quota.hot_path.lapses import LEASE
from quota.selectors.usage_series import Group, UsageRow, fold, total, usage_by
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page

DAYS_SHOWN = timedelta(days=29)
# Of each table the title, what is said beside it, and the heading of its first column.
TABLES = {
    Group.MEMBER: (_("By member"), "", _("Member")),
    Group.MODEL: (_("By model"), "", _("Model")),
    Group.MODALITY: (_("By modality"), "", _("Modality")),
    Group.TAG: (_("By tag"), _("A call counts under each of its tags."), _("Tag")),
    Group.DAY: (_("By day"), "", _("Day")),
}


@team_page(get=Right.VIEW_USAGE)
def team_usage(request: TeamRequest) -> HttpResponse:
    """The last 30 days unless a range is given."""
    today = timezone.now().date()
    usual = {"start": today - DAYS_SHOWN, "end": today}
    form = RangeForm(request.GET if "start" in request.GET or "end" in request.GET else usual)
    if not form.is_valid():
        return show(request, "quota/usage.html", {"form": form}, status=422)
    start, end = form.moments()
    # Three tables of one read. By day as well it would be too many rows.
    names = (Group.MEMBER, Group.MODEL, Group.MODALITY)
    by_names = usage_by(request.team, start, end, *names)
    rows = {group: fold(by_names, group) for group in names}
    rows |= {group: usage_by(request.team, start, end, group) for group in (Group.TAG, Group.DAY)}
    query = {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "by": Group.DAY.value,
        "group": Group.MEMBER.value,
    }
    context = {
        "form": form,
        "csv": f"{reverse('api-team-usage-csv', args=[request.team.slug])}?{urlencode(query)}",
        "total": total(rows[Group.DAY]),
        "tables": [
            (*words, [(_label(row), row.amounts) for row in _ordered(group, rows[group])])
            for group, words in TABLES.items()
            if group is not Group.TAG or any(row.tag for row in rows[group])
        ],
    }
    return show(request, "quota/usage.html", context)


def _ordered(group: Group, rows: list[UsageRow]) -> list[UsageRow]:
    """The latest day first; else what cost most."""
    if group is Group.DAY:
        return rows[::-1]
    return sorted(rows, key=lambda row: -row.amounts.amount_nanousd)


def _label(row: UsageRow) -> str:
    if row.starts_at is not None:
        return f"{row.starts_at:%Y-%m-%d}"
    if row.member is not None:
        return row.member.name or row.member.email
    if row.tag is not None:
        return row.tag or gettext("Without a tag")
    if row.modality is not None:
        return row.modality or gettext("Not known")
    return gettext("Not reported, held by a lease") if row.model == LEASE else row.model or ""
