"""/teams/{slug}/credit-requests: a member asks for access to Credits; the Owner or an Admin answers."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import CreditsField
from quota.api.people.credits import OVERFLOW
from quota.api.people.seat_requests import NewestRequest
from quota.errors import CreditRequestClosed, CreditRequestOpen
from quota.models import CreditRequest
from quota.services.credit_requests import decline_credit_request, grant_credit_request, request_credits
from teams.api.serializers import MemberSerializer, PersonSerializer
from teams.api.views import TeamView
from teams.permissions import Right, may
from teams.tasks import deliver_mail
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


class AskForCreditsSerializer(Shape):
    wanted = CreditsField(
        required=False, allow_null=True, default=None, help_text="A calendar month in UTC; null: no number."
    )
    message = serializers.CharField(max_length=500, allow_blank=True, default="")


class CreditAnswerSerializer(Shape):
    """`overflow` and `month_cap` are the access that is granted."""

    granted = serializers.BooleanField()
    overflow = serializers.ChoiceField(OVERFLOW, default="allow")
    month_cap = CreditsField(
        required=False, allow_null=True, default=None, help_text="Of a calendar month in UTC; null: none."
    )


class CreditRequestSerializer(serializers.Serializer[CreditRequest]):
    """`granted` is null while the request is open. Granted, `overflow` and `month_cap` say what was given."""

    id = serializers.IntegerField()
    member = MemberSerializer(source="membership")
    wanted = CreditsField(source="wanted_nanousd", allow_null=True)
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(source="ended_at", allow_null=True)
    closed_by = PersonSerializer(allow_null=True)
    granted = serializers.BooleanField(source="was_granted", allow_null=True)
    overflow = serializers.CharField(help_text="`never`, `allow`, or nothing where it was not granted.")
    month_cap = CreditsField(source="month_cap_nanousd", allow_null=True)


class CreditRequests(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.USE, "POST": Right.USE}
    pagination_class = NewestRequest

    @extend_schema(
        responses={200: CreditRequestSerializer(many=True)},
        summary="Requests for Credits, the latest first",
        description="One's own; all of the Team's for whoever may answer them.",
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = CreditRequest.objects.for_team(self.team).select_related("membership__user", "closed_by")
        if not may(self.membership, Right.SWITCH_CREDITS):
            rows = rows.filter(membership=self.membership)
        return self.page(rows, CreditRequestSerializer)

    @extend_schema(
        request=AskForCreditsSerializer,
        responses={201: CreditRequestSerializer, **refusals(CreditRequestOpen)},
        summary="Ask for access to Credits",
        description="The Owner and the Admins find it in the Team's inbox and get a mail.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(AskForCreditsSerializer, request)
        row = request_credits(
            membership=self.membership,
            wanted_nanousd=body["wanted"],
            message=body["message"],
            at=timezone.now(),
            by=self.person,
        )
        enqueue(deliver_mail)
        return Response(CreditRequestSerializer(row).data, status=201)


class CreditRequestAnswer(TeamView):
    right = Right.SWITCH_CREDITS

    @extend_schema(
        request=CreditAnswerSerializer,
        responses={200: CreditRequestSerializer, **refusals(NotFound, CreditRequestClosed)},
        summary="Answer a request for Credits",
        description="Granted, the member may use the Team's Credits from now on, as the body says it.",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        row = CreditRequest.objects.for_team(self.team).filter(pk=pk).select_related("membership").first()
        if row is None:
            raise NotFound(_("This request does not exist."))
        body, at = checked(CreditAnswerSerializer, request), timezone.now()
        if body["granted"]:
            answered = grant_credit_request(
                request=row,
                overflow=body["overflow"],
                month_cap_nanousd=body["month_cap"],
                at=at,
                by=self.person,
            )
        else:
            answered = decline_credit_request(request=row, at=at, by=self.person)
        enqueue(deliver_mail)
        return Response(CreditRequestSerializer(answered).data)
