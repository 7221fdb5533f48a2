"""Usage in bulk, for gateways that flush: up to 1,000 rows, of which a bad one rejects itself alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from quota import errors
from quota.api.fields import METERS, TAGS
from quota.api.gateway import bodies
from quota.api.gateway.base import GatewayView
from quota.api.gateway.settle import DrawSerializer
from quota.hot_path.bulk import RowResult, record_events, settle_many
from quota.models import QuarantinedRow
from quota.services.quarantine import RejectedRow
from tokenplan.kit.api import Shape
from tokenplan.kit.openapi import refusals
from tokenplan.kit.parsers import BoundedJSONParser
from tokenplan.kit.problems import Problem, problem_of

Row = TypeVar("Row")
ROW_REFUSALS = "A row is rejected with the codes: invalid, usage_invalid, "


class SettlementRowSerializer(DrawSerializer):
    reservation = serializers.UUIDField()
    id = serializers.CharField(
        max_length=128, required=False, allow_null=True, help_text="Needed where the row is not final."
    )
    final = serializers.BooleanField(
        required=False, allow_null=True, help_text="False: a draw, after which the hold stays open."
    )


class SettlementsSerializer(Shape):
    settlements = SettlementRowSerializer(many=True, help_text="Up to 1,000.")


class EventRowSerializer(Shape):
    id = serializers.CharField(max_length=128, help_text="The gateway's own; counts once.")
    key = serializers.CharField(required=False, allow_null=True)
    key_handle = serializers.CharField(
        required=False, allow_null=True, help_text="In place of `key`: what authorize answered, `kh-…`."
    )
    model = serializers.CharField(max_length=100)
    usage = METERS
    occurred_at = serializers.DateTimeField(help_text="Up to 7 days back, 5 minutes ahead.")
    agent = serializers.CharField(max_length=64, required=False, allow_null=True)
    tags = TAGS
    reservation = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="Of a lease: the event is a draw with this id. Of a call: it settles the hold, or is a "
        "duplicate.",
    )


class EventsSerializer(Shape):
    events = EventRowSerializer(many=True, help_text="Up to 1,000.")


class RejectedSerializer(Shape):
    index = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()
    pointer = serializers.CharField(required=False, help_text="The wrong field, within the row.")


class BulkSerializer(Shape):
    """All that was accepted is durable."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = RejectedSerializer(many=True)
    ended = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="Holds of these rows whose key or seat has gone: they hold nothing more.",
    )


class BulkJSONParser(BoundedJSONParser):
    """Room for 1,000 rows. Text that cannot be stored is the row's own fault, not the batch's."""

    limit = 2_097_152
    storable = False


class BulkView(GatewayView):
    parser_classes = [BulkJSONParser]

    def answer(
        self,
        kind: QuarantinedRow.Kind,
        rows: Sequence[object],
        read: Callable[[object], Row],
        record: Callable[[Sequence[Row]], Sequence[RowResult]],
    ) -> HttpResponse:
        """Reads each row, records the good ones in their order, and says what became of each. A rejected one
        is kept for the operator.
        """
        good: list[tuple[int, Row]] = []
        refused: dict[int, Exception] = {}
        for index, row in enumerate(rows):
            try:
                good.append((index, read(row)))
            except ValidationError as error:
                refused[index] = error
        accepted = duplicates = 0
        ended: set[str] = set()
        for (index, _row), result in zip(good, record([row for _index, row in good]), strict=True):
            if result.refusal:
                if isinstance(result.refusal, errors.InvalidUsage):
                    result.refusal.pointer = "/usage" + (result.refusal.pointer or "")
                refused[index] = result.refusal
            elif result.is_new:
                accepted += 1
            else:
                duplicates += 1
            if result.ended:
                ended.add(str(result.ended))
        problems = {index: problem_of(refused[index]) for index in sorted(refused)}
        kept = [RejectedRow(rows[index], found.code, str(found.detail)) for index, found in problems.items()]
        if kept:
            self.keep(kind, kept, timezone.now())
        rejected = [_rejection(index, rows[index], found) for index, found in problems.items()]
        counts = {"accepted": accepted, "duplicates": duplicates}
        return JsonResponse({**counts, "rejected": rejected, "ended": sorted(ended)})

    def problem(self, error: Exception) -> Problem:
        problem = super().problem(error)
        if problem.code == "unavailable":
            # Rows are transactions of their own: some of them may be recorded.
            return replace(
                problem,
                detail=_("Some rows may be recorded. Send them all again: nothing counts twice."),
            )
        return problem


def _rejection(index: int, row: object, problem: Problem) -> dict[str, Any]:
    row_id = row.get("id") or row.get("reservation") if isinstance(row, dict) else None
    rejection = {
        "index": index,
        "id": row_id if isinstance(row_id, str) and len(row_id) <= bodies.ID_LENGTH else None,
        "code": problem.code,
        "detail": problem.detail,
    }
    return rejection | ({"pointer": problem.pointer} if problem.pointer else {})


class Settlements(BulkView):
    @extend_schema(
        operation_id="gateway_settlements",
        summary="Up to 1,000 draws, each of which settles its hold unless it says otherwise",
        description=ROW_REFUSALS + "reservation_unknown, reservation_settled, reservation_released, "
        "model_unknown, event_id_reused, occurred_at_out_of_range, reported_too_late.",
        request=SettlementsSerializer,
        responses={200: BulkSerializer, **refusals()},
        tags=["gateway"],
    )
    def post(self, request: Request) -> HttpResponse:
        rows = bodies.rows(request.data, "settlements")
        return self.answer(
            QuarantinedRow.Kind.SETTLEMENT,
            rows,
            bodies.settlement,
            lambda good: settle_many(gateway=self.gateway, settlements=good, at=self.at),
        )


class Events(BulkView):
    @extend_schema(
        operation_id="gateway_events",
        summary="Record up to 1,000 calls that were made without asking, or were not settled",
        description=ROW_REFUSALS + "key_invalid, model_unknown, event_id_reused, occurred_at_out_of_range, "
        "reservation_unknown, reservation_settled, reservation_released, reported_too_late.",
        request=EventsSerializer,
        responses={200: BulkSerializer, **refusals()},
        tags=["gateway"],
    )
    def post(self, request: Request) -> HttpResponse:
        rows = bodies.rows(request.data, "events")
        return self.answer(
            QuarantinedRow.Kind.EVENT,
            rows,
            bodies.event,
            lambda good: record_events(gateway=self.gateway, events=good, at=self.at),
        )
