"""The ledger of a Team's Credits, or of its API balance, in pages that say where the entries begin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from quota.api.fields import CreditsField
from quota.models import Account, CreditLedgerEntry
from quota.selectors.kept import Opening, opening_of
from teams.api.views import TeamView
from teams.permissions import Right, may
from tokenplan.kit.paging import M, NewestFirst, Row

KEPT_SINCE = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "Earlier entries are no longer kept. Null: all are.",
}


class LatestEntry(NewestFirst):
    """A page says from when on entries are kept, and what the earlier ones came to; null where all are."""

    account: ClassVar[Account]
    closing: ClassVar[str]
    field: ClassVar[serializers.Field[Any, Any, Any, Any]]
    of_type: ClassVar[str]
    opening: Opening | None = None

    def paginate_queryset(
        self, queryset: QuerySet[M, Row], request: Request, view: APIView | None = None
    ) -> list[Row] | None:
        if isinstance(view, TeamView):
            self.opening = opening_of(view.team, self.account)
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        since = self.opening and serializers.DateTimeField().to_representation(self.opening.at)
        amount = self.opening and self.field.to_representation(self.opening.nanousd)
        answer = super().get_paginated_response(data)
        answer.data |= {"kept_since": since, self.closing: amount}
        return answer

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = super().get_paginated_response_schema(schema)
        amount = {"type": [self.of_type, "null"], "description": "What the earlier entries came to."}
        answer["properties"] |= {"kept_since": KEPT_SINCE, self.closing: amount}
        return answer


class LatestOfCredits(LatestEntry):
    account = Account.CREDITS
    closing = "closing_balance"
    field = CreditsField()
    of_type = "string"


class LatestOfBalance(LatestEntry):
    account = Account.BALANCE
    closing = "closing_balance_nanousd"
    field = serializers.IntegerField()
    of_type = "integer"


class LedgerView(TeamView):
    """Who used what is for those who may see everyone's usage."""

    right = Right.VIEW_CREDITS

    def entries(self, rows: QuerySet[CreditLedgerEntry], serializer: type[BaseSerializer[Any]]) -> Response:
        hidden: dict[str, None] = {}
        if not may(self.membership, Right.VIEW_USAGE):
            hidden = {"member": None, "receipt": None}
        return self.page_built(
            rows.select_related("membership__user", "by"),
            lambda page: [{**row, **hidden} for row in serializer(page, many=True).data],
        )
