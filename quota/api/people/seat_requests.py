"""/teams/{slug}/seat-requests: a member asks for a seat, or a higher one; the Owner or an Admin answers."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import LARGEST_ID
from quota.errors import SeatNotEntitled, SeatRequestClosed, SeatRequestNeedsSeat, SeatRequestOpen
from quota.models import SeatRequest
from quota.services.seat_requests import answer_request, request_seat
from teams.api.serializers import MemberSerializer, PersonSerializer
from teams.api.views import TeamView
from teams.errors import SeatTaken
from teams.models import Seat
from teams.permissions import Right, may
from teams.tasks import deliver_mail
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class AskForSeatSerializer(Shape):
    plan = serializers.CharField(max_length=30)
    message = serializers.CharField(max_length=500, allow_blank=True, default="")


class AnswerSerializer(Shape):
    granted = serializers.BooleanField()
    seat = serializers.IntegerField(
        min_value=1,
        max_value=LARGEST_ID,
        required=False,
        allow_null=True,
        help_text="The seat that a granted member holds from now on. Nothing is granted without one.",
    )


class SeatRequestSerializer(serializers.Serializer[SeatRequest]):
    """`granted` is null while the request is open. Granted, `seat` and `seat_plan` say what was given."""

    id = serializers.IntegerField()
    member = MemberSerializer(source="membership")
    plan = serializers.CharField(source="plan_code")
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(source="ended_at", allow_null=True)
    closed_by = PersonSerializer(allow_null=True)
    granted = serializers.BooleanField(source="was_granted", allow_null=True)
    seat = serializers.IntegerField(source="seat_id", allow_null=True)
    seat_plan = serializers.CharField(source="seat_plan_code", help_text="Its plan's code, or nothing.")


class NewestRequest(Cursor):
    """The latest request first."""

    ordering = ("-created_at", "-id")


class SeatRequests(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.USE, "POST": Right.USE}
    pagination_class = NewestRequest

    @extend_schema(
        responses={200: SeatRequestSerializer(many=True)},
        summary="Requests for seats, the latest first",
        description="One's own; all of the Team's for whoever may answer them.",
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = SeatRequest.objects.for_team(self.team).select_related("membership__user", "closed_by")
        if not may(self.membership, Right.ASSIGN_SEAT):
            rows = rows.filter(membership=self.membership)
        return self.page(rows, SeatRequestSerializer)

    @extend_schema(
        request=AskForSeatSerializer,
        responses={201: SeatRequestSerializer, **refusals(SeatRequestOpen)},
        summary="Ask for a seat, or a higher one",
        description="The Owner and the Admins find it in the Team's inbox and get a mail.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(AskForSeatSerializer, request)
        try:
            row = request_seat(
                membership=self.membership,
                plan_code=body["plan"],
                message=body["message"],
                at=timezone.now(),
                by=self.person,
            )
        except InvalidValue as refusal:
            if refusal.pointer == "/plan_code":  # what this body calls `plan`
                refusal.pointer = "/plan"
            raise
        enqueue(deliver_mail)
        return Response(SeatRequestSerializer(row).data, status=201)


class SeatRequestAnswer(TeamView):
    right = Right.ASSIGN_SEAT

    @extend_schema(
        request=AnswerSerializer,
        responses={
            200: SeatRequestSerializer,
            **refusals(NotFound, SeatRequestClosed, SeatRequestNeedsSeat, SeatTaken, SeatNotEntitled),
        },
        summary="Answer a request for a seat",
        description="A granted member holds `seat` from now on, instead of the seat held before.",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        row = SeatRequest.objects.for_team(self.team).filter(pk=pk).select_related("membership").first()
        if row is None:
            raise NotFound(_("This request does not exist."))
        body = checked(AnswerSerializer, request)
        answered = answer_request(
            request=row,
            granted=body["granted"],
            seat=self._seat(body.get("seat")),
            at=timezone.now(),
            by=self.person,
        )
        enqueue(deliver_mail)
        return Response(SeatRequestSerializer(answered).data)

    def _seat(self, pk: int | None) -> Seat | None:
        if pk is None:
            return None
        seat = Seat.objects.for_team(self.team).live().filter(pk=pk).first()
        if seat is None:
            raise NotFound(_("This seat does not exist."), pointer="/seat")
        return seat
