"""Usage for people: one's own bar in every Team, and a Team's usage and receipts.

A member sees their own usage with `?member=me`; to see everyone's takes a right. The filters are those of the
console's pages.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.receipts import RECEIPTS, LatestCallFirst, ReceiptSerializer, receipt_json, receipts_page
from quota.api.usage_bar import UsageSerializer, usage_bar_json
from quota.api.usage_filter import (
    FILTER_PARAMETERS,
    OF_A_LIST,
    OF_SUMS,
    check_names,
    filter_of,
    range_or_ever,
)
from quota.api.usage_series import (
    RANGE_PARAMETERS,
    SPAN_PARAMETERS,
    SeriesSerializer,
    Span,
    series_json,
    span_of,
)
from quota.errors import ModelUnknown
from quota.models import UsageEvent
from quota.selectors.usage_bar import usage_bar, usage_bars
from quota.selectors.usage_filter import UsageFilter, charges_of
from quota.selectors.usage_series import Group
from teams.api.views import PersonView, TeamView
from teams.models import Membership, Team
from teams.permissions import Right, member_of, require
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import OldestFirst

GROUPS = (Group.MODEL, Group.MODALITY, Group.MEMBER, Group.TAG)
GROUP = OpenApiParameter("group", str, enum=["model", "modality", "member", "tag"])
MEMBER = OpenApiParameter(
    "member",
    str,
    description="Who is or was a member: a membership's id, an e-mail address (of all memberships that its "
    "owner has had), or `me`. Without it the whole Team, for those who may see that.",
)
ASKED = [MEMBER, *FILTER_PARAMETERS]


class MyUsage(PersonView):
    pagination_class = OldestFirst

    @extend_schema(
        operation_id="my_usage",
        responses={200: UsageSerializer(many=True)},
        summary="Your usage bar in each of your Teams",
    )
    def get(self, request: Request) -> Response:
        now = timezone.now()
        mine = Membership.objects.live().filter(user=self.person).select_related("team", "user")
        return self.page_built(mine, lambda page: [usage_bar_json(bar) for bar in usage_bars(page, now)])


class MemberUsage(TeamView):
    right = Right.VIEW_USAGE

    @extend_schema(
        operation_id="member_usage",
        responses={200: UsageSerializer, **refusals(NotFound)},
        summary="A member's usage bar",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(usage_bar_json(usage_bar(member_of(self.team, pk), timezone.now())))


class UsageView(TeamView):
    right = Right.USE

    def asked(self, span: tuple[datetime, datetime], now: datetime) -> tuple[Team | Membership, UsageFilter]:
        """Whose usage, and what of it. Raises PermissionRefused, NotFound, InvalidValue, ModelUnknown."""
        text = self.request.query_params.get("member")
        if text == "me":
            return self.membership, filter_of(self.request, span, now)
        require(self.membership, Right.VIEW_USAGE)
        if not text:
            return self.team, filter_of(self.request, span, now)
        named = self._named(text)
        if len(named) == 1:
            return named[0], filter_of(self.request, span, now)
        return self.team, filter_of(self.request, span, now, tuple(member.pk for member in named))

    def _named(self, text: str) -> list[Membership]:
        """Whom `?member=` names, past members too; of an address, all memberships that its owner has had."""
        members = Membership.objects.for_team(self.team)
        if "@" in text and "\x00" not in text:
            members = members.filter(user__email=text.lower())
        elif text.isascii() and text.isdecimal() and len(text) <= 18:
            members = members.filter(pk=int(text))
        else:
            raise InvalidValue(_("This is a membership's id, an e-mail address, or me."), pointer="/member")
        found = list(members.select_related("team"))
        if not found:
            raise NotFound(_("This person was never a member of the Team."), pointer="/member")
        return found


class TeamUsage(UsageView):
    @extend_schema(
        operation_id="team_usage",
        parameters=[*SPAN_PARAMETERS, GROUP, *ASKED],
        responses={200: SeriesSerializer, **refusals(NotFound, ModelUnknown)},
        summary="Usage, added up",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(series_json(*self.sums()))

    def sums(self) -> tuple[Team | Membership, Span, UsageFilter]:
        """Whose usage is added up, how, and what of it."""
        check_names(self.request, *OF_SUMS, MEMBER.name)
        now = timezone.now()
        span = span_of(self.request, GROUPS, now)
        owner, wanted = self.asked((span.start, span.end), now)
        return owner, span, wanted


class TeamReceipts(UsageView):
    pagination_class = LatestCallFirst

    @extend_schema(
        operation_id="team_receipts",
        parameters=[*RANGE_PARAMETERS, *ASKED],
        responses={200: ReceiptSerializer(many=True), **refusals(NotFound, ModelUnknown)},
        summary="Receipts, the latest call first",
        description=RECEIPTS,
    )
    def get(self, request: Request, slug: str) -> Response:
        check_names(request, *OF_A_LIST, MEMBER.name)
        now = timezone.now()
        owner, wanted = self.asked(range_or_ever(request, now), now)
        return receipts_page(charges_of(owner), wanted, request, self)


class TeamReceipt(TeamView):
    right = Right.USE

    @extend_schema(
        operation_id="team_receipt",
        responses={200: ReceiptSerializer, **refusals(NotFound)},
        summary="A receipt",
    )
    def get(self, request: Request, slug: str, pk: UUID) -> Response:
        event = UsageEvent.objects.for_team(self.team).filter(pk=pk).first()
        if event is None or event.membership_id != self.membership.pk:
            require(self.membership, Right.VIEW_USAGE)
        if event is None:
            raise NotFound(_("The Team has no such receipt."))
        return Response(receipt_json(event))
