"""/teams/{slug}/balance/…: paying into the API balance. The balance itself is answered by `quota`."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.balance_serializers import (
    BalanceAutoTopUpSerializer,
    BalancePurchaseSerializer,
    BalanceTopUpStateSerializer,
    TopUpSerializer,
)
from billing.api.purchases import NewestPurchase
from billing.api.views import PROMOTION_REFUSALS, BillingView
from billing.selectors.purchases import purchases_of
from billing.selectors.top_ups import top_up_state
from billing.services.top_ups import set_auto_top_up
from billing.workflows.checkouts import buy_balance
from quota.models import Account
from tokenplan.kit.api import checked
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.openapi import refusals


class BalancePurchases(BillingView):
    pagination_class = NewestPurchase

    @extend_schema(
        operation_id="balance_purchases",
        responses={200: BalancePurchaseSerializer(many=True)},
        summary="Payments into the API balance, the latest first",
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.page(purchases_of(self.team, Account.BALANCE), BalancePurchaseSerializer)

    @extend_schema(
        operation_id="balance_purchase",
        request=TopUpSerializer,
        responses={
            201: BalancePurchaseSerializer,
            **refusals(
                errors.NotOnSale,
                errors.ChangeInProgress,
                errors.StripeRefused,
                errors.PaymentsUnavailable,
                *PROMOTION_REFUSALS,
            ),
        },
        summary="Pay into the API balance",
        description="It is paid at `checkout.url`. A Team has one such page open: the same amount again "
        "gives the same one, another ends it.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(TopUpSerializer, request)
        checkout = buy_balance(
            team=self.team,
            nanousd=body["amount_nanousd"],
            promotion_code=body["promotion_code"],
            at=timezone.now(),
            by=self.person,
        )
        row = purchases_of(self.team, Account.BALANCE).get(checkout=checkout)
        return Response(BalancePurchaseSerializer(row).data, status=201)


class BalanceAutoTopUp(BillingView):
    @extend_schema(
        operation_id="balance_auto_top_up",
        responses=BalanceTopUpStateSerializer,
        summary="Auto top-up of the API balance",
    )
    def get(self, request: Request, slug: str) -> Response:
        state = top_up_state(self.team, timezone.now(), Account.BALANCE)
        return Response(BalanceTopUpStateSerializer(state).data)

    @extend_schema(
        operation_id="balance_auto_top_up_set",
        request=BalanceAutoTopUpSerializer,
        responses={200: BalanceTopUpStateSerializer, **refusals()},
        summary="Set auto top-up of the API balance, or switch it off",
        description="Saving it forgets the failures before.",
    )
    def put(self, request: Request, slug: str) -> Response:
        at = timezone.now()
        body = checked(BalanceAutoTopUpSerializer, request)
        try:
            set_auto_top_up(team=self.team, account=Account.BALANCE, at=at, by=self.person, **body)
        except InvalidValue as refusal:  # it names what is wrong; here the field also says in what unit
            refusal.pointer = f"{refusal.pointer}_nanousd"
            raise
        return Response(BalanceTopUpStateSerializer(top_up_state(self.team, at, Account.BALANCE)).data)
