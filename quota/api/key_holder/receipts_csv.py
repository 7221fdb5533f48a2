"""`/usage/receipts.csv`: the calls of whoever holds a key, for a spreadsheet."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from quota.api.key_holder.usage import REFUSALS, EitherKeyView
from quota.api.receipts_csv import DESCRIPTION, receipts_csv
from quota.api.usage_series import RANGE_PARAMETERS, range_of
from quota.models import UsageEvent
from tokenplan.kit.api import JSONAlone


class ReceiptsCSV(EitherKeyView):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="usage_receipts_csv",
        summary="Receipts of your calls, as CSV",
        description=DESCRIPTION,
        parameters=RANGE_PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        start, end = range_of(request, timezone.now())
        return receipts_csv("receipts", UsageEvent.objects.of_spender(self.spender), start, end)
