"""/teams/{slug}/credits: the pool, its lots and ledger, and who may draw on it."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import CreditsField
from quota.api.people.ledger import LatestOfCredits, LedgerView
from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry
from quota.selectors.credits import credit_access, team_balance, team_credits
from quota.services.credits import set_credit_access, set_team_credits
from teams.api.serializers import MemberSerializer, PersonSerializer
from teams.api.views import TeamView
from teams.models import Team
from teams.permissions import Right, member_of
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor

OVERFLOW = ["never", "allow"]


class AccessSerializer(serializers.Serializer[CreditAccess]):
    """May this member use the Team's Credits, do they cover what a seat's quota does not, up to how much."""

    allowed = serializers.BooleanField()
    overflow = serializers.ChoiceField(OVERFLOW)
    month_cap = CreditsField(
        source="granted_month_cap_nanousd",
        allow_null=True,
        help_text="Of a calendar month in UTC; null: none.",
    )


class PoolSerializer(Shape):
    """A Team's Credits."""

    balance = CreditsField(help_text="What is left in the lots that can be drawn from.")
    overflow = serializers.ChoiceField(OVERFLOW)
    low_balance = CreditsField(help_text="The Owner and Admins are warned below this.")


class PolicySerializer(Shape):
    overflow = serializers.ChoiceField(OVERFLOW)
    low_balance = CreditsField()


class LotSerializer(serializers.Serializer[CreditGrant]):
    id = serializers.IntegerField()
    amount = CreditsField(source="amount_nanousd")
    remaining = CreditsField(source="remaining_nanousd")
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    frozen_at = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(source="source")


class LedgerSerializer(serializers.Serializer[CreditLedgerEntry]):
    """A change of a lot. `amount` is signed: what the lot gained. Without the right to see everyone's usage,
    `member` and `receipt` are null.
    """

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(CreditLedgerEntry.Kind.choices)
    amount = CreditsField(source="amount_nanousd")
    lot = serializers.IntegerField(source="grant_id")
    cause = serializers.CharField()
    member = MemberSerializer(source="membership", allow_null=True)
    by = PersonSerializer(allow_null=True)
    receipt = serializers.UUIDField(source="event_id", allow_null=True)


def pool_json(team: Team) -> dict[str, object]:
    rules = team_credits(team.pk)
    return {
        "balance": team_balance(team.pk, timezone.now()),
        "overflow": rules.overflow,
        "low_balance": rules.low_balance_nanousd,
    }


class Pool(TeamView):
    right = Right.VIEW_CREDITS

    @extend_schema(responses=PoolSerializer, summary="The Team's Credits")
    def get(self, request: Request, slug: str) -> Response:
        return Response(PoolSerializer(pool_json(self.team)).data)


class Policy(TeamView):
    right: ClassVar[dict[str, Right]] = {"PUT": Right.SET_OVERFLOW}

    @extend_schema(
        request=PolicySerializer,
        responses={200: PoolSerializer, **refusals()},
        summary="Decide whether usage may fall to Credits",
        description="`overflow` is about usage beyond the quota of a seat, for the whole Team.",
    )
    def put(self, request: Request, slug: str) -> Response:
        body = checked(PolicySerializer, request)
        set_team_credits(
            team=self.team,
            overflow=body["overflow"],
            low_balance_nanousd=body["low_balance"],
            at=timezone.now(),
            by=self.person,
        )
        return Response(PoolSerializer(pool_json(self.team)).data)


class NewestLot(Cursor):
    """The lot granted last comes first."""

    ordering = ("-granted_at", "-id")


class Lots(TeamView):
    right = Right.VIEW_CREDITS
    pagination_class = NewestLot

    @extend_schema(responses={200: LotSerializer(many=True)}, summary="Lots, spent and expired ones too")
    def get(self, request: Request, slug: str) -> Response:
        return self.page(CreditGrant.objects.for_team(self.team).credits(), LotSerializer)


class Ledger(LedgerView):
    pagination_class = LatestOfCredits

    @extend_schema(responses={200: LedgerSerializer(many=True)}, summary="The ledger, the latest entry first")
    def get(self, request: Request, slug: str) -> Response:
        return self.entries(CreditLedgerEntry.objects.for_team(self.team).credits(), LedgerSerializer)


class Access(TeamView):
    """Who has access is in the list of members; here it is changed, whole."""

    right: ClassVar[dict[str, Right]] = {"GET": Right.VIEW_MEMBERS, "PUT": Right.SWITCH_CREDITS}

    @extend_schema(
        responses={200: AccessSerializer, **refusals(NotFound)}, summary="A member's access to Credits"
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(AccessSerializer(credit_access(member_of(self.team, pk))).data)

    @extend_schema(
        request=AccessSerializer,
        responses={200: AccessSerializer, **refusals(NotFound)},
        summary="Switch a member's access to Credits, and cap it",
    )
    def put(self, request: Request, slug: str, pk: int) -> Response:
        member, body = member_of(self.team, pk), checked(AccessSerializer, request)
        access = set_credit_access(
            membership=member,
            allowed=body["allowed"],
            overflow=body["overflow"],
            month_cap_nanousd=body["granted_month_cap_nanousd"],
            at=timezone.now(),
            by=self.person,
        )
        return Response(AccessSerializer(access).data)
