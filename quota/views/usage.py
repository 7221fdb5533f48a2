"""What a Team, or a member, used in a range of days: as a chart, as sums and, of a member, call by call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from quota.api.csv_cells import usd_cell
from quota.hot_path.lapses import LEASE
from quota.selectors.kept import calls_kept_since
from quota.selectors.usage_chart import Series, Stack, UsageChart, usage_chart
from quota.selectors.usage_filter import Payer, UsageFilter, charges_of, members_called
from quota.selectors.usage_series import Amounts, Group, UsageRow, stream_usage, usage_by
from quota.templatetags.guides import modality_name
from quota.usage_forms import ChargesForm, UsageForm
from quota.windows import EPOCH
from teams.models import Membership, Team
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell, person_cells, person_heading
from tokenplan.kit.pages import page_of

SUMS_ON_A_PAGE = 50
MILLISECOND = timedelta(milliseconds=1)
# What of the address is about one page of a list, or its form, and not about what is shown.
OF_A_PAGE = ("page", "before", "format")
# The title of the table below the chart, and the heading of its first column.
TITLES = {
    Group.MEMBER: (_lazy("By member"), _lazy("Member")),
    Group.MODEL: (_lazy("By model"), _lazy("Model")),
    Group.MODALITY: (_lazy("By modality"), _lazy("Modality")),
    Group.TAG: (_lazy("By tag"), _lazy("Tag")),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What has a colour, and its column in the table. `href` leads to the page with the table below it about
    this alone, or about everything again where it `is_chosen`; it is empty where nothing can be asked for.
    """

    label: str
    href: str
    is_chosen: bool
    number: int  # of its colour; 0 is that of the others
    total: int
    amounts: dict[datetime, int]


@team_page(get=Right.VIEW_USAGE)
def team_usage(request: TeamRequest) -> HttpResponse:
    """The last 30 days by member, unless asked otherwise."""
    return _usage(request, request.team, "quota/usage.html")


@team_page(get=Right.USE)
def own_usage(request: TeamRequest) -> HttpResponse:
    """One's own, by model unless asked otherwise, and the charges, newest first."""
    return _usage(request, request.membership, "quota/own_usage.html")


def wanted_of(form: ChargesForm, team: Team) -> UsageFilter:
    """What a valid form asks for."""
    asked = form.cleaned_data
    start, end = form.moments
    return UsageFilter(
        start,
        end,
        members=members_called(team, asked["member"]) if asked.get("member") else None,
        model=asked["model"],
        modality=asked["modality"],
        tag=asked["tag"],
        payer=Payer(asked["payer"]) if asked["payer"] else None,
    )


def offer_what_was_used(form: ChargesForm, owner: Team | Membership) -> None:
    """The models and modalities of the range can be chosen."""
    used = usage_by(owner, *form.moments, Group.MODEL, Group.MODALITY)
    form.offer("model", [(row.model or "", label_of(row, Group.MODEL)) for row in used])
    form.offer("modality", [(row.modality, modality_name(row.modality)) for row in used if row.modality])


def dropped_before(wanted: UsageFilter) -> datetime | None:
    """The moment before which single calls are no longer kept, where they are asked for."""
    since = calls_kept_since()
    return since if since and wanted.start < since else None


def say_what_is_wrong(request: TeamRequest, template: str, form: ChargesForm) -> HttpResponse:
    """The page, which says at the field why nothing can be shown. The page that is open asks for its parts by
    htmx, which shows them where all is well alone.
    """
    status = 200 if "HX-Request" in request.headers else 422
    return show(request, template, {"form": form}, status=status)


def address(request: TeamRequest, **changes: str) -> str:
    """The query that asks for the same with these changes; what is changed to nothing is left out."""
    query = request.GET.copy()
    for name in OF_A_PAGE:
        query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


def label_of(row: UsageRow, group: Group) -> str:
    """What of the group the row is of, for people."""
    match group:
        case Group.MEMBER if row.member:
            return row.member.name or row.member.email
        case Group.TAG:
            return row.tag or _("Without a tag")
        case Group.MODALITY:
            return modality_name(row.modality) if row.modality else _("Not known")
    return _("Not reported, held by a lease") if row.model == LEASE else row.model or ""


def _usage(request: TeamRequest, owner: Team | Membership, template: str) -> HttpResponse:
    form = UsageForm(request.GET, of_team=owner == request.team, today=timezone.now().date())
    if not form.is_valid():
        return say_what_is_wrong(request, template, form)
    wanted = wanted_of(form, request.team)
    if request.GET.get("format") == "csv":
        return cast(HttpResponse, _csv(owner, wanted, form.width, form.stack))  # it streams
    offer_what_was_used(form, owner)
    chart = usage_chart(owner, wanted, by=form.width, stack=form.stack)
    shown = _shown(request, form, chart)
    sums_of = form.stack or Group.MODEL
    title, column = TITLES[sums_of]
    sums = Paginator(chart.sums, SUMS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "chart": chart,
        "title": title,
        "column": column,
        "shown": shown,
        "moments": _moments(shown, form.width),
        "step": timedelta(hours=1 if form.width is Group.HOUR else 24) // MILLISECOND,
        "start": (wanted.start - EPOCH) // MILLISECOND,
        "end": (wanted.end - EPOCH) // MILLISECOND,
        "sums": sums,
        "rows": _rows(request, form, sums, sums_of),
        "everything": address(request, **dict.fromkeys(form.FILTERS, "")),
        "csv": address(request, format="csv"),
    }
    if isinstance(owner, Team):
        context["charges"] = address(request, by="", group="")
    else:
        charges = wanted.charges(charges_of(owner))
        context |= {
            "page": page_of(charges, request, moment="occurred_at", among=wanted.among(charges_of(owner))),
            "receipt": "account-receipt",
            "kept_since": dropped_before(wanted),
        }
    return show(request, template, context)


def _shown(request: TeamRequest, form: UsageForm, chart: UsageChart) -> list[Shown]:
    shown = []
    for number, series in enumerate(chart.series, start=1):
        label, name = _named(series, form.stack)
        href, is_chosen = _link(request, form, form.cleaned_data["group"], name)
        colour = 0 if series.of is None else number
        shown.append(Shown(label, href, is_chosen, colour, series.total, series.amounts))
    return shown


def _named(series: Series, stack: Stack) -> tuple[str, str]:
    """For people, and for the address."""
    if isinstance(series.of, Payer):
        return str(series.of.label), series.of.value
    if series.of is None or stack is None:
        return _("Others (%(count)s)") % {"count": series.others}, ""
    return label_of(series.of, stack), _name_in_address(series.of, stack)


def _name_in_address(row: UsageRow, group: Group) -> str:
    return row.member.email if row.member else str(getattr(row, group))


def _link(request: TeamRequest, form: ChargesForm, field: str, name: str) -> tuple[str, bool]:
    """Where the link of a name leads, and whether it is chosen already: then back to everything."""
    is_chosen = bool(name) and form.cleaned_data[field].lower() == name.lower()
    return (address(request, **{field: "" if is_chosen else name}) if name else ""), is_chosen


def _rows(
    request: TeamRequest, form: UsageForm, sums: Iterable[UsageRow], group: Group
) -> list[tuple[str, tuple[str, bool], Amounts]]:
    """Of each row of the table below: its label, its link, and its amounts."""
    return [
        (label_of(row, group), _link(request, form, group, _name_in_address(row, group)), row.amounts)
        for row in sums
    ]


def _moments(shown: list[Shown], by: Group) -> list[tuple[str, int, list[int | None], int]]:
    """The chart as a table, the latest first: of each hour or day its label, its milliseconds since 1970,
    what each colour has of it, and the sum.
    """
    starts = sorted({start for one in shown for start in one.amounts}, reverse=True)
    pattern = "j M Y, H:i" if by is Group.HOUR else "j M Y"
    rows = []
    for start in starts:
        amounts = [one.amounts.get(start) for one in shown]
        label = date_format(start, pattern)
        rows.append((label, (start - EPOCH) // MILLISECOND, amounts, sum(filter(None, amounts))))
    return rows


def _csv(owner: Team | Membership, wanted: UsageFilter, by: Group, stack: Stack) -> HttpResponseBase:
    """The sums of the chart, of all names."""
    groups = [by, stack] if stack else [by]
    slug = owner.team.slug if isinstance(owner, Membership) else owner.slug
    rows = stream_usage(owner, wanted.start, wanted.end, *groups, only=wanted.only())
    name = f"usage-{slug}-{wanted.start:%Y-%m-%d}-{wanted.end:%Y-%m-%d}.csv"
    heading = (
        _("Hour (UTC)") if by is Group.HOUR else _("Day (UTC)"),
        *(person_heading() if stack is Group.MEMBER else [str(TITLES[stack][1])] if stack else []),
        *(_("Calls"), _("Price (USD)"), _("From quota (USD)"), _("From Credits (USD)")),
        *(_("From the API balance (USD)"), _("Overrun (USD)")),
    )
    return csv_file(name, heading, _cells(rows, wanted, by, stack))


def _cells(
    rows: Iterator[UsageRow], wanted: UsageFilter, by: Group, stack: Stack
) -> Iterator[tuple[object, ...]]:
    for row in rows:
        if row.starts_at and wanted.amount(row.amounts):
            amounts = row.amounts
            yield (
                moment_cell(row.starts_at) if by is Group.HOUR else f"{row.starts_at:%Y-%m-%d}",
                *(person_cells(row.member) if row.member else [label_of(row, stack)] if stack else []),
                *(amounts.calls, usd_cell(amounts.amount_nanousd), usd_cell(amounts.from_quota_nanousd)),
                *(usd_cell(amounts.from_credits_nanousd), usd_cell(amounts.from_balance_nanousd)),
                usd_cell(amounts.overrun_nanousd),
            )
