"""/plans: what is on sale, for everyone."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.serializers import OfferSerializer
from billing.selectors.offers import offers


class Plans(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="plans",
        responses={200: OfferSerializer(many=True)},
        summary="Plans on sale, the smallest first",
        description="Prices are of one seat, a month or a year. No credential is needed.",
    )
    def get(self, request: Request) -> Response:
        return Response(OfferSerializer(offers(), many=True).data)
