"""/promotions: what everyone may use now, as the page says it."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import InviteCampaign, Promotion
from billing.selectors.invites import campaign_in_force
from billing.selectors.promotions import public_promotions
from quota.api.fields import NANOUSD
from tokenplan.kit.api import Shape


class PublicPromotionSerializer(serializers.Serializer[Promotion]):
    """A code that is listed. Either a share or an amount is taken off."""

    code = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    off_hundredths = serializers.IntegerField(
        source="percent_hundredths", allow_null=True, help_text="Hundredths of a percent."
    )
    off_nanousd = serializers.IntegerField(source="amount_nanousd", allow_null=True, help_text=NANOUSD)
    duration = serializers.CharField(help_text="once, repeating (the first `months`) or forever.")
    months = serializers.IntegerField(allow_null=True)
    scope = serializers.CharField(help_text="seats, credits or balance.")
    first_purchase = serializers.BooleanField(help_text="Only for a Team that has paid for nothing yet.")
    once_a_team = serializers.BooleanField()
    starts_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class PublicCampaignSerializer(serializers.Serializer[InviteCampaign]):
    """The invite campaign. Shares are in hundredths of a percent."""

    title = serializers.CharField()
    description = serializers.CharField()
    off_hundredths = serializers.IntegerField(help_text="Off the seats of a Team of who comes by a link.")
    duration = serializers.CharField(help_text="once (the first invoice) or forever (every invoice).")
    voucher_hundredths = serializers.IntegerField(help_text="Of what was really paid, for the inviter.")
    voucher_days = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class PromotionsSerializer(Shape):
    promotions = PublicPromotionSerializer(many=True)
    campaign = PublicCampaignSerializer(allow_null=True, help_text="Null: links bring nothing now.")


class Promotions(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="promotions",
        responses={200: PromotionsSerializer},
        summary="Promotion codes for everyone, and the invite campaign",
        description="What can be used now; of codes, the one that ends first before the others. No"
        " credential is needed.",
    )
    def get(self, request: Request) -> Response:
        at = timezone.now()
        shown = {"promotions": public_promotions(at), "campaign": campaign_in_force(at)}
        return Response(PromotionsSerializer(shown).data)
