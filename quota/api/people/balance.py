"""/teams/{slug}/balance: the API balance, its lots and its ledger, and when to warn."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import LARGEST_ID, NANOUSD
from quota.api.people.credits import NewestLot
from quota.api.people.ledger import LatestOfBalance, LedgerView
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.balance import api_balance
from quota.selectors.credits import team_credits
from quota.services.balance import set_balance_alert
from teams.api.serializers import MemberSerializer, PersonSerializer
from teams.api.views import TeamView
from teams.models import Team
from teams.permissions import Right
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.openapi import refusals


class AlertSerializer(Shape):
    """Whether the Owner and the Admins are warned of a low balance, and below which."""

    enabled = serializers.BooleanField()
    low_balance_nanousd = serializers.IntegerField(min_value=0, max_value=LARGEST_ID)


class BalanceSerializer(Shape):
    """A Team's API balance."""

    available_nanousd = serializers.IntegerField(
        help_text=f"Cash and vouchers; what calls under way hold is still in it. {NANOUSD}"
    )
    cash_nanousd = serializers.IntegerField(help_text="Was bought, and never expires.")
    vouchers_nanousd = serializers.IntegerField(help_text="Drawn first; each expires.")
    owed_nanousd = serializers.IntegerField(
        help_text="Used beyond the balance; the next top-up or voucher pays it first."
    )
    alert = AlertSerializer()


class BalanceLotSerializer(serializers.Serializer[CreditGrant]):
    id = serializers.IntegerField()
    is_voucher = serializers.BooleanField()
    amount_nanousd = serializers.IntegerField()
    remaining_nanousd = serializers.IntegerField()
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    frozen_at = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(source="source")


class BalanceLedgerSerializer(serializers.Serializer[CreditLedgerEntry]):
    """A change of a lot. `amount_nanousd` is signed: what the lot gained. Without the right to see everyone's
    usage, `member` and `receipt` are null.
    """

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(CreditLedgerEntry.Kind.choices)
    amount_nanousd = serializers.IntegerField()
    lot = serializers.IntegerField(source="grant_id")
    cause = serializers.CharField()
    member = MemberSerializer(
        source="membership", allow_null=True, help_text="Who made the key that used it."
    )
    by = PersonSerializer(allow_null=True)
    receipt = serializers.UUIDField(source="event_id", allow_null=True)


def balance_json(team: Team) -> dict[str, object]:
    rules, balance = team_credits(team.pk), api_balance(team, timezone.now())
    return {
        "available_nanousd": balance.total,
        "cash_nanousd": balance.cash,
        "vouchers_nanousd": balance.vouchers,
        "owed_nanousd": balance.owed,
        "alert": {
            "enabled": rules.warns_of_balance,
            "low_balance_nanousd": rules.low_api_balance_nanousd,
        },
    }


class Balance(TeamView):
    right = Right.VIEW_CREDITS

    @extend_schema(operation_id="team_balance", responses=BalanceSerializer, summary="The Team's API balance")
    def get(self, request: Request, slug: str) -> Response:
        return Response(BalanceSerializer(balance_json(self.team)).data)


class Alert(TeamView):
    right: ClassVar[dict[str, Right]] = {"PUT": Right.MANAGE_BILLING}

    @extend_schema(
        request=AlertSerializer,
        responses={200: BalanceSerializer, **refusals()},
        summary="Say when to warn of a low API balance",
    )
    def put(self, request: Request, slug: str) -> Response:
        body = checked(AlertSerializer, request)
        set_balance_alert(team=self.team, at=timezone.now(), by=self.person, **body)
        return Response(BalanceSerializer(balance_json(self.team)).data)


class BalanceLots(TeamView):
    right = Right.VIEW_CREDITS
    pagination_class = NewestLot

    @extend_schema(
        responses={200: BalanceLotSerializer(many=True)}, summary="Lots of the API balance, spent ones too"
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.page(CreditGrant.objects.for_team(self.team).api_balance(), BalanceLotSerializer)


class BalanceLedger(LedgerView):
    pagination_class = LatestOfBalance

    @extend_schema(
        responses={200: BalanceLedgerSerializer(many=True)},
        summary="The ledger of the API balance, the latest entry first",
    )
    def get(self, request: Request, slug: str) -> Response:
        entries = CreditLedgerEntry.objects.for_team(self.team).api_balance()
        return self.entries(entries, BalanceLedgerSerializer)
