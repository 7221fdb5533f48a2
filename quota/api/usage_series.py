"""Usage added up over a range: the query string that asks for it, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from quota.selectors.usage_filter import UsageFilter
from quota.selectors.usage_series import Amounts, Group, Owner, UsageRow, total, usage_by
from quota.stored_json import moment_json
from quota.windows import EPOCH
from tokenplan.kit.errors import InvalidValue

# By hour for at most a month, by day for at most a year and a day.
LONGEST = {Group.HOUR: timedelta(days=31), Group.DAY: timedelta(days=366)}
USUAL = {Group.HOUR: timedelta(days=1), Group.DAY: timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Span:
    """What to add up: `by` is None for one sum of the whole range."""

    start: datetime
    end: datetime
    by: Group | None
    group: Group | None

    @property
    def groups(self) -> list[Group]:
        return [group for group in (self.by, self.group) if group]


def span_of(request: Request, groups: Sequence[Group], now: datetime) -> Span:
    """`?by=&group=&from=&to=`; left out, the range is the last 30 days, or 24 hours by hour.

    Raises InvalidValue; a parameter is named by its `pointer`, as `/from`.
    """
    by = _choice(request, "by", (Group.DAY, Group.HOUR))
    group = _choice(request, "group", groups)
    start, end = range_of(request, now, by or Group.DAY)
    return Span(start, end, by, group)


def range_of(request: Request, now: datetime, by: Group = Group.DAY) -> tuple[datetime, datetime]:
    """`?from=&to=`, for a list of calls or for sums by day or hour; what is left out as in `span_of`.

    Raises InvalidValue.
    """
    longest = LONGEST[by]
    end = _moment(request, "to") or _end_of(by, now)
    try:
        start = _moment(request, "from") or end - USUAL[by]
    except OverflowError:
        raise InvalidValue(_("The range starts too early."), pointer="/to") from None
    if not start < end:
        raise InvalidValue(_("The range ends after it starts."), pointer="/to")
    if end - start > longest:
        raise InvalidValue(
            _("The range has at most %(days)s days.") % {"days": longest.days}, pointer="/from"
        )
    return start, end


def _end_of(by: Group, now: datetime) -> datetime:
    """The end of the hour or day that is under way, so that the latest sum is in."""
    width = timedelta(hours=1) if by is Group.HOUR else timedelta(days=1)
    return EPOCH + ((now - EPOCH) // width + 1) * width


def _choice(request: Request, name: str, choices: Sequence[Group]) -> Group | None:
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if text not in choices:
        raise InvalidValue(
            _("Choose one of %(choices)s.") % {"choices": ", ".join(choices)}, pointer=f"/{name}"
        )
    return Group(text)


def _moment(request: Request, name: str) -> datetime | None:
    """A moment with its offset, or a date: the start of that day in UTC."""
    text = request.query_params.get(name)
    if not text:
        return None
    # In a query string an unescaped + arrives as a space.
    text = text.replace(" ", "+") if "T" in text else text
    try:
        value = datetime.fromisoformat(text)
        is_date = len(text) == len("2026-06-04")
        if value.tzinfo or is_date:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidValue(_("This is a date, or an ISO 8601 moment with an offset."), pointer=f"/{name}")


def amounts_json(amounts: Amounts) -> dict[str, int]:
    return {
        "calls": amounts.calls,
        "amount_nanousd": amounts.amount_nanousd,
        "from_quota_nanousd": amounts.from_quota_nanousd,
        "from_credits_nanousd": amounts.from_credits_nanousd,
        "from_balance_nanousd": amounts.from_balance_nanousd,
        "overrun_nanousd": amounts.overrun_nanousd,
    }


def series_json(owner: Owner, span: Span, wanted: UsageFilter) -> dict[str, Any]:
    """The rows that are asked for, and the exact total of the range."""
    only = wanted.only()
    rows = usage_by(owner, span.start, span.end, *span.groups, only=only)
    # A call with two tags is in two rows, and in the total once.
    by_tag = span.group is Group.TAG
    whole = usage_by(owner, span.start, span.end, only=only)[0].amounts if by_tag else total(rows)
    rows = [row for row in rows if wanted.asks_for(row.amounts)]
    return {
        "by": span.by,
        "group": span.group,
        "from": moment_json(span.start),
        "to": moment_json(span.end),
        "rows": [_row_json(span, row) for row in rows],
        "total": amounts_json(whole),
    }


def _row_json(span: Span, row: UsageRow) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if row.starts_at:
        answer["starts_at"] = moment_json(row.starts_at)
    if row.member:
        answer["member"] = {"id": row.member.id, "email": row.member.email, "name": row.member.name}
    elif span.group:
        answer[span.group] = getattr(row, span.group)
    return answer | amounts_json(row.amounts)


RANGE_PARAMETERS = [
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="Included; a date or a moment, in UTC."),
    OpenApiParameter(
        "to",
        OpenApiTypes.DATETIME,
        description="Not included; the end of today, or of this hour, unless given.",
    ),
]
SPAN_PARAMETERS = [
    OpenApiParameter("by", str, enum=["day", "hour"], description="Left out: one sum of the whole range."),
    *RANGE_PARAMETERS,
]


class AmountsSerializer(serializers.Serializer[Any]):
    """Whole nano-dollars; the four parts add up to the amount."""

    calls = serializers.IntegerField()
    amount_nanousd = serializers.IntegerField()
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    from_balance_nanousd = serializers.IntegerField(help_text="Of calls with API keys.")
    overrun_nanousd = serializers.IntegerField()


class SeriesMemberSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="The membership's.")
    email = serializers.EmailField()
    name = serializers.CharField()


class SeriesRowSerializer(AmountsSerializer):
    starts_at = serializers.DateTimeField(required=False, help_text="The hour or day, in UTC.")
    model = serializers.CharField(required=False)
    modality = serializers.CharField(required=False)
    member = SeriesMemberSerializer(required=False)
    tag = serializers.CharField(required=False, help_text="Empty: calls without a tag.")


class SeriesSerializer(serializers.Serializer[Any]):
    """Usage added up; hours, days and names without usage are left out. By tag, a call with several tags
    is in the row of each of them, so that the rows may come to more than the total. Of a `payer`, rows where
    it paid nothing are left out, and the total is of all.
    """

    by = serializers.ChoiceField(["day", "hour"], allow_null=True)
    group = serializers.ChoiceField(["model", "modality", "member", "tag"], allow_null=True)
    to = serializers.DateTimeField()
    rows = SeriesRowSerializer(many=True)
    total = AmountsSerializer()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is no name that Python allows.
        return {**super().get_fields(), "from": serializers.DateTimeField()}
