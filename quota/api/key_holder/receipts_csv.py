"""`/usage/receipts.csv`: the calls of whoever holds a key, for a spreadsheet."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from quota.api.key_holder.usage import FILTER_REFUSALS, EitherKeyView
from quota.api.receipts_csv import DESCRIPTION, receipts_csv
from quota.api.usage_filter import FILTER_PARAMETERS, OF_A_RANGE, check_names, filter_of
from quota.api.usage_series import RANGE_PARAMETERS, range_of
from quota.models import UsageEvent
from tokenplan.kit.api import JSONAlone


class ReceiptsCSV(EitherKeyView):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="usage_receipts_csv",
        summary="Receipts of your calls, as CSV",
        description=DESCRIPTION,
        parameters=[*RANGE_PARAMETERS, *FILTER_PARAMETERS],
        responses={(200, "text/csv"): OpenApiTypes.STR, **FILTER_REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        check_names(request, *OF_A_RANGE)
        now = timezone.now()
        wanted = filter_of(request, range_of(request, now), now)
        return receipts_csv("receipts", UsageEvent.objects.of_spender(self.spender), wanted)
