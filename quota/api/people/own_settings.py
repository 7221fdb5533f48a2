"""What a person decides for themselves: their own cap on a Team's Credits, and what they are mailed about."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import CreditsField
from quota.api.people.credits import OVERFLOW
from quota.models import CreditAccess, NoticeSettings
from quota.models.notice_settings import THRESHOLDS
from quota.selectors.credits import credit_access
from quota.services.credits import set_own_cap
from quota.services.notice_settings import set_notices
from teams.api.views import PersonView, TeamView
from teams.permissions import Right
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.openapi import refusals


class NewOwnCapSerializer(Shape):
    month_cap = CreditsField(
        allow_null=True,
        help_text="Of a calendar month in UTC. `0`: none are used without asking you, and such calls are "
        "refused; null: no cap of your own.",
    )


class OwnCapSerializer(serializers.Serializer[CreditAccess]):
    """Your access to the Team's Credits. The lower of your own cap and the one you were granted holds."""

    allowed = serializers.BooleanField()
    overflow = serializers.ChoiceField(OVERFLOW)
    month_cap = CreditsField(
        source="own_month_cap_nanousd", allow_null=True, help_text="Your own; null: none."
    )
    granted_month_cap = CreditsField(
        source="granted_month_cap_nanousd",
        allow_null=True,
        help_text="What the Owner or an Admin allows; null: no cap.",
    )


class OwnCap(TeamView):
    right = Right.USE

    @extend_schema(
        operation_id="own_cap",
        responses={200: OwnCapSerializer},
        summary="Your own cap on the Team's Credits",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(OwnCapSerializer(credit_access(self.membership)).data)

    @extend_schema(
        operation_id="set_own_cap",
        request=NewOwnCapSerializer,
        responses={200: OwnCapSerializer, **refusals()},
        summary="Cap what you use of the Team's Credits",
        description="Your own choice, below what the Owner and the Admins allow.",
    )
    def put(self, request: Request, slug: str) -> Response:
        body = checked(NewOwnCapSerializer, request)
        access = set_own_cap(
            membership=self.membership,
            month_cap_nanousd=body["month_cap"],
            at=timezone.now(),
            by=self.person,
        )
        return Response(OwnCapSerializer(access).data)


class NoticesSerializer(serializers.Serializer[NoticeSettings]):
    """What you are mailed about the usage of all your Teams."""

    thresholds: Any = serializers.ListField(
        child=serializers.ChoiceField([(percent, str(percent)) for percent in THRESHOLDS]),
        max_length=len(THRESHOLDS),
        help_text="At how many percent of a window of a seat; none: no mails about windows.",
    )
    credits_low = serializers.BooleanField(help_text="Of Teams that you manage.")
    balance_low = serializers.BooleanField(help_text="Of Teams that you manage.")


class Notices(PersonView):
    @extend_schema(responses=NoticesSerializer, summary="Which notices you get by mail")
    def get(self, request: Request) -> Response:
        chosen = NoticeSettings.objects.of([self.person])[self.person.pk]
        return Response(NoticesSerializer(chosen).data)

    @extend_schema(
        request=NoticesSerializer,
        responses={200: NoticesSerializer, **refusals()},
        summary="Choose which notices you get by mail",
    )
    def put(self, request: Request) -> Response:
        chosen = set_notices(user=self.person, **checked(NoticesSerializer, request))
        return Response(NoticesSerializer(chosen).data)
