"""/teams/{slug}/seats: who holds them, what they may use, and who used how much of each."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import MemberIdSerializer, PlanSerializer, WindowSerializer
from quota.selectors.seats import seat_history, seat_state, states_of
from teams import errors
from teams.api.serializers import MemberSerializer
from teams.api.views import TeamView
from teams.models import Seat
from teams.permissions import Right, member_of
from teams.services import seats
from teams.tasks import deliver_mail
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import OldestFirst


class HolderSerializer(Shape):
    """Who held a seat, when, and what they used of its quota."""

    member = MemberSerializer(source="holding.membership")
    started_at = serializers.DateTimeField(source="holding.started_at")
    ended_at = serializers.DateTimeField(source="holding.ended_at", allow_null=True)
    used_nanousd = serializers.IntegerField()


class SeatSerializer(Shape):
    """A seat; a suspended one has a plan but no windows."""

    id = serializers.IntegerField(source="seat.pk")
    number = serializers.IntegerField(
        source="seat.number", help_text="What pages and mails call it; no other seat of the Team has it."
    )
    plan = PlanSerializer(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    renews_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next paid period begins; null where none is to."
    )
    suspended = serializers.BooleanField()
    holder = MemberSerializer(allow_null=True)
    windows = WindowSerializer(many=True)
    created_at = serializers.DateTimeField(source="seat.created_at")


class SeatView(TeamView):
    def seat(self, pk: int) -> Seat:
        """The Team's live seat with this id; NotFound for any other."""
        seat = Seat.objects.for_team(self.team).live().filter(pk=pk).first()
        if seat is None:
            raise NotFound(_("This seat does not exist."))
        return seat

    def answer(self, seat: Seat) -> Response:
        return Response(SeatSerializer(seat_state(seat, timezone.now())).data)


class SeatList(SeatView):
    right = Right.VIEW_MEMBERS
    pagination_class = OldestFirst

    @extend_schema(
        operation_id="seats",
        responses={200: SeatSerializer(many=True)},
        summary="Seats, with plan, holder and windows",
    )
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        rows = Seat.objects.for_team(self.team).live()
        return self.page_built(rows, lambda page: SeatSerializer(states_of(page, now), many=True).data)


class SeatDetail(SeatView):
    right = Right.VIEW_MEMBERS

    @extend_schema(
        operation_id="seat", responses={200: SeatSerializer, **refusals(NotFound)}, summary="A seat"
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return self.answer(self.seat(pk))


class SeatHolders(SeatView):
    right = Right.VIEW_USAGE
    # The history of one seat is short.
    pagination_class: ClassVar[None] = None  # type: ignore[assignment]

    @extend_schema(
        operation_id="seat_holders",
        responses={200: HolderSerializer(many=True), **refusals(NotFound)},
        summary="Who held a seat, the latest first, and what each used of it",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(HolderSerializer(seat_history(self.seat(pk)), many=True).data)


class SeatAssign(SeatView):
    right = Right.ASSIGN_SEAT

    @extend_schema(
        request=MemberIdSerializer,
        responses={
            200: SeatSerializer,
            **refusals(NotFound, errors.SeatTaken, errors.MemberHasSeat),
        },
        summary="Give a free seat to a member",
        description="Usage stays with the seat: its new holder inherits it.",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        seat, body = self.seat(pk), checked(MemberIdSerializer, request)
        member = member_of(self.team, body["member"], pointer="/member")
        seats.assign_seat(seat=seat, membership=member, by=self.person, at=timezone.now())
        enqueue(deliver_mail)
        return self.answer(seat)


class SeatFree(SeatView):
    right = Right.ASSIGN_SEAT

    @extend_schema(
        request=None,
        responses={200: SeatSerializer, **refusals(NotFound, errors.SeatNotHeld)},
        summary="Free a seat",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        seat = self.seat(pk)
        seats.free_seat(seat=seat, by=self.person, at=timezone.now())
        return self.answer(seat)


class SeatMove(SeatView):
    right = Right.ASSIGN_SEAT

    @extend_schema(
        request=MemberIdSerializer,
        responses={
            200: SeatSerializer,
            **refusals(NotFound, errors.SeatNotHeld, errors.MemberHasSeat),
        },
        summary="Move a seat from its holder to another member",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        seat, body = self.seat(pk), checked(MemberIdSerializer, request)
        member = member_of(self.team, body["member"], pointer="/member")
        seats.move_seat(seat=seat, to=member, by=self.person, at=timezone.now())
        enqueue(deliver_mail)
        return self.answer(seat)
