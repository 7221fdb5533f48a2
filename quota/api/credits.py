"""/teams/{slug}/credits: the pool, its lots and ledger, and who may draw on it."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.team_serializers import (
    AccessSerializer,
    LedgerSerializer,
    LotSerializer,
    PolicySerializer,
    PoolSerializer,
)
from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry, TeamCredits
from quota.selectors.bar import team_balance
from quota.services.credits import set_credit_access, set_team_credits
from teams.api.views import TeamView
from teams.models import Team
from teams.permissions import Right, member_of
from tokenplan.kit.api import checked
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor, NewestFirst


def pool_answer(team: Team) -> dict[str, object]:
    rules = TeamCredits.objects.filter(team=team).first() or TeamCredits(team=team)
    return {
        "balance": team_balance(team.pk, timezone.now()),
        "overflow": rules.overflow,
        "low_balance": rules.low_balance_nanousd,
    }


class Pool(TeamView):
    right = Right.VIEW_CREDITS

    @extend_schema(responses=PoolSerializer, summary="The Team's Credits")
    def get(self, request: Request, slug: str) -> Response:
        return Response(PoolSerializer(pool_answer(self.team)).data)


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
        return Response(PoolSerializer(pool_answer(self.team)).data)


class NewestLot(Cursor):
    """The lot granted last comes first."""

    ordering = ("-granted_at", "-id")


class Lots(TeamView):
    right = Right.VIEW_CREDITS
    pagination_class = NewestLot

    @extend_schema(responses={200: LotSerializer(many=True)}, summary="Lots, spent and expired ones too")
    def get(self, request: Request, slug: str) -> Response:
        return self.page(CreditGrant.objects.for_team(self.team), LotSerializer)


class Ledger(TeamView):
    right = Right.VIEW_CREDITS
    pagination_class = NewestFirst

    @extend_schema(responses={200: LedgerSerializer(many=True)}, summary="The ledger, the latest entry first")
    def get(self, request: Request, slug: str) -> Response:
        entries = CreditLedgerEntry.objects.for_team(self.team).select_related("membership__user", "by")
        return self.page(entries, LedgerSerializer)


class Access(TeamView):
    """Who has access is in the list of members; here it is changed, whole."""

    right: ClassVar[dict[str, Right]] = {"GET": Right.VIEW_CREDITS, "PUT": Right.SWITCH_CREDITS}

    @extend_schema(
        responses={200: AccessSerializer, **refusals(NotFound)}, summary="A member's access to Credits"
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        member = member_of(self.team, pk)
        access = CreditAccess.objects.of_one(member)
        return Response(AccessSerializer(access).data)

    @extend_schema(
        request=AccessSerializer,
        responses={200: AccessSerializer, **refusals(NotFound)},
        summary="Switch a member's access to Credits, and cap it",
    )
    def put(self, request: Request, slug: str, pk: int) -> Response:
        member, body = member_of(self.team, pk), checked(AccessSerializer, request)
        access = set_credit_access(membership=member, at=timezone.now(), by=self.person, **body)
        return Response(AccessSerializer(access).data)
