"""What the holder of an API key may see with it: the Team's API balance, and the key's own cap. Once in our
words, and once in those of existing trackers, always with HTTP 200.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.api.authentication import ApiKeyAuthentication
from quota.api.fields import NANOUSD
from quota.api.key_holder.trackers import (
    NO_KEY,
    SUCCESS,
    UNKNOWN_ERROR,
    WRONG_KEY,
    BaseRespSerializer,
    TrackerView,
    always,
)
from quota.money import usd_text
from quota.selectors.balance import api_balance, month_used
from quota.selectors.credits import team_credits
from teams.errors import KeyInvalid
from teams.models import ApiKeyText
from teams.services.api_keys import recognise_api_key
from tokenplan.kit.api import Shape
from tokenplan.kit.openapi import refusals
from tokenplan.kit.parsers import bearer

logger = logging.getLogger(__name__)


class KeyBalanceSerializer(Shape):
    """The API balance as the holder of one of the Team's keys sees it."""

    team = serializers.CharField()
    key = serializers.CharField(help_text="The key's name.")
    available_nanousd = serializers.IntegerField(
        help_text=f"Cash and vouchers; what calls under way hold is still in it. {NANOUSD}"
    )
    cash_nanousd = serializers.IntegerField()
    vouchers_nanousd = serializers.IntegerField()
    owed_nanousd = serializers.IntegerField(help_text="While it is above 0 the Team's API keys are refused.")
    month_cap_nanousd = serializers.IntegerField(
        allow_null=True, help_text="Of this key, in a calendar month (UTC); null: none."
    )
    month_used_nanousd = serializers.IntegerField()


class KeyBalance(APIView):
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = []

    @extend_schema(
        operation_id="balance",
        summary="The API balance",
        responses={200: KeyBalanceSerializer, **refusals(KeyInvalid)},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        text, now = cast(ApiKeyText, request.auth), timezone.now()
        balance = api_balance(text.team, now)
        answer = {
            "team": text.team.slug,
            "key": text.api_key.name,
            "available_nanousd": balance.total,
            "cash_nanousd": balance.cash,
            "vouchers_nanousd": balance.vouchers,
            "owed_nanousd": balance.owed,
            "month_cap_nanousd": text.api_key.month_cap_nanousd,
            "month_used_nanousd": month_used([text.api_key], now)[text.api_key_id],
        }
        return Response(answer, headers={"Cache-Control": "no-store"})


class QueryBalanceSerializer(serializers.Serializer[Any]):
    """Amounts are dollars, as decimal strings."""

    available_amount = serializers.CharField(required=False)
    cash_balance = serializers.CharField(required=False)
    voucher_balance = serializers.CharField(required=False)
    credit_balance = serializers.CharField(required=False, help_text="Nothing is lent: always 0.00.")
    owed_amount = serializers.CharField(required=False)
    balance_alert_switch = serializers.BooleanField(required=False)
    balance_alert_threshold = serializers.CharField(required=False)
    base_resp = BaseRespSerializer()


class QueryBalance(TrackerView):
    unknown = {"base_resp": UNKNOWN_ERROR["base_resp"]}
    logged_as = "query_balance"

    @extend_schema(
        summary="The API balance, for trackers",
        description="Always HTTP 200; `base_resp.status_code` tells success (0) from failure. Send the API "
        "key as `Authorization: Bearer sk-api-…`.",
        responses={200: QueryBalanceSerializer},
        examples=[
            OpenApiExample("no key sent", NO_KEY, response_only=True),
            OpenApiExample("not a working API key", WRONG_KEY, response_only=True),
        ],
        tags=["trackers"],
    )
    def get(self, request: Request) -> Response:
        return always(self._body(request))

    def _body(self, request: Request) -> dict[str, Any]:
        if not request.headers.get("Authorization", "").strip():
            return NO_KEY
        now = timezone.now()
        text = recognise_api_key(text=bearer(request) or "", at=now)
        if text is None:
            return WRONG_KEY
        balance, rules = api_balance(text.team, now), team_credits(text.team_id)
        return {
            "available_amount": _dollars(balance.total),
            "cash_balance": _dollars(balance.cash),
            "voucher_balance": _dollars(balance.vouchers),
            "credit_balance": _dollars(0),
            "owed_amount": _dollars(balance.owed),
            "balance_alert_switch": rules.warns_of_balance,
            "balance_alert_threshold": _dollars(rules.low_api_balance_nanousd),
            "base_resp": SUCCESS,
        }


def _dollars(nanousd: int) -> str:
    """Exact: `12.00`, `0.0035`."""
    return usd_text(nanousd).replace("$", "").replace(",", "")
