"""The endpoint that existing trackers poll: the bar in their words, always with HTTP 200."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.selectors.usage_bar import UsageBar, usage_bar
from quota.windows import EPOCH, QuotaWindow
from teams.services.keys import recognise_key
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.parsers import bearer

logger = logging.getLogger(__name__)

WEEK_SECONDS = 7 * 86400
INTERVAL = timedelta(hours=5)  # shown for a plan that has no window of less than a week
NORMAL, EXHAUSTED, NOT_IN_PLAN = 1, 2, 3

SUCCESS = {"status_code": 0, "status_msg": "success"}
NO_KEY: dict[str, Any] = {
    "base_resp": {
        "status_code": 1004,
        "status_msg": "login fail: Please carry the API secret key in the 'Authorization' field of the "
        "request header",
    }
}
WRONG_KEY: dict[str, Any] = {"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}
NO_SEAT: dict[str, Any] = {
    "model_remains": None,
    "base_resp": {"status_code": 2062, "status_msg": "no active token plan subscription"},
}
# The database is away, or something unforeseen: these clients read nothing but the body.
UNKNOWN_ERROR: dict[str, Any] = {
    "model_remains": None,
    "base_resp": {"status_code": 1000, "status_msg": "unknown error"},
}


class BaseRespSerializer(serializers.Serializer[Any]):
    status_code = serializers.IntegerField(help_text="0 success; 1000, 1004, 2049, 2062 are failures.")
    status_msg = serializers.CharField()


class RemainsRowSerializer(serializers.Serializer[Any]):
    """Times are epoch milliseconds, percentages what remains. Status: 1 normal, 2 exhausted, 3 absent."""

    model_name = serializers.CharField()
    start_time = serializers.IntegerField()
    end_time = serializers.IntegerField()
    remains_time = serializers.IntegerField()
    current_interval_total_count = serializers.IntegerField()
    current_interval_usage_count = serializers.IntegerField()
    current_interval_status = serializers.IntegerField()
    current_interval_remaining_percent = serializers.IntegerField()
    current_weekly_total_count = serializers.IntegerField()
    current_weekly_usage_count = serializers.IntegerField()
    weekly_start_time = serializers.IntegerField()
    weekly_end_time = serializers.IntegerField()
    weekly_remains_time = serializers.IntegerField()
    current_weekly_status = serializers.IntegerField()
    current_weekly_remaining_percent = serializers.IntegerField()


class RemainsSerializer(serializers.Serializer[Any]):
    model_remains = RemainsRowSerializer(many=True, allow_null=True, required=False)
    base_resp = BaseRespSerializer()


class TrackerView(APIView):
    """A path that trackers poll: always HTTP 200. The key is recognised by the view, not by the framework, so
    that a refusal is a 200 too.
    """

    authentication_classes = []
    permission_classes = []
    content_negotiation_class = JSONAlone
    # What is answered, and under which name it is logged, when nothing can be said now.
    unknown: ClassVar[dict[str, Any]]
    logged_as: ClassVar[str]

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, MethodNotAllowed):
            return super().handle_exception(exc)
        logger.warning("%s: %s: %s", self.logged_as, type(exc).__name__, exc)
        return always(self.unknown)


class Remains(TrackerView):
    """Both paths."""

    unknown = UNKNOWN_ERROR
    logged_as = "remains"

    @extend_schema(
        summary="What remains, for trackers",
        description="Always HTTP 200; `base_resp.status_code` tells success (0) from failure. Send the "
        "Subscription Key as `Authorization: Bearer sk-cp-…`.",
        responses={200: RemainsSerializer},
        examples=[
            OpenApiExample("no key sent", NO_KEY, response_only=True),
            OpenApiExample("not a working key", WRONG_KEY, response_only=True),
            OpenApiExample("a key without a seat", NO_SEAT, response_only=True),
            OpenApiExample("cannot answer now", UNKNOWN_ERROR, response_only=True),
        ],
        tags=["trackers"],
    )
    def get(self, request: Request) -> Response:
        return always(self._body(request))

    def _body(self, request: Request) -> dict[str, Any]:
        if not request.headers.get("Authorization", "").strip():
            return NO_KEY
        now = timezone.now()
        key = recognise_key(text=bearer(request) or "", at=now)
        if key is None:
            return WRONG_KEY
        return remains_json(usage_bar(key.membership, now), now)


def always(body: dict[str, Any]) -> Response:
    return Response(body, headers={"Cache-Control": "no-store"})


def remains_json(bar: UsageBar, now: datetime) -> dict[str, Any]:
    """The bar of a moment in the trackers' words."""
    if not bar.windows:
        return NO_SEAT
    return {"model_remains": [general_row(bar.windows, now)], "base_resp": SUCCESS}


def general_row(windows: list[QuotaWindow], now: datetime) -> dict[str, Any]:
    """The row of the shared pool: the shortest window is the interval, the longest the week.

    A plan with one window has the other one absent: status 3, with bounds that a tracker can show.
    """
    by_length = sorted(windows, key=lambda window: window.limit.rule.length_seconds)
    interval: QuotaWindow | None = by_length[0]
    week: QuotaWindow | None = by_length[-1]
    if len(by_length) == 1:
        if by_length[0].limit.rule.length_seconds >= WEEK_SECONDS:
            interval = None
        else:
            week = None
    start, end, remains = _times(interval, now, (now, now + INTERVAL))
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    week_start, week_end, week_remains = _times(week, now, (monday, monday + timedelta(weeks=1)))
    return {
        "start_time": start,
        "end_time": end,
        "remains_time": remains,
        "current_interval_total_count": 0,
        "current_interval_usage_count": 0,
        "model_name": "general",
        "current_weekly_total_count": 0,
        "current_weekly_usage_count": 0,
        "weekly_start_time": week_start,
        "weekly_end_time": week_end,
        "weekly_remains_time": week_remains,
        "current_interval_status": _status(interval),
        "current_interval_remaining_percent": remaining_percent(interval),
        "current_weekly_status": _status(week),
        "current_weekly_remaining_percent": remaining_percent(week),
    }


def remaining_percent(window: QuotaWindow | None) -> int:
    """Whole percent that remains, rounded up: 0 only without room, 100 only when nothing is taken."""
    if window is None:
        return 100
    if window.is_full:
        return 0
    if window.room == window.limit.nanousd:
        return 100
    return min(99, -(-window.room * 100 // window.limit.nanousd))


def _status(window: QuotaWindow | None) -> int:
    if window is None:
        return NOT_IN_PLAN
    return EXHAUSTED if window.is_full else NORMAL


def _times(
    window: QuotaWindow | None, now: datetime, absent: tuple[datetime, datetime]
) -> tuple[int, int, int]:
    """Start and end of the window in epoch milliseconds, and the milliseconds until its end. `absent` are the
    bounds of one that the plan does not have.
    """
    bounds = (window.starts_at, window.resets_at) if window else absent
    start, end, present = (_milliseconds(m) for m in (*bounds, now))
    return start, end, max(0, end - present)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
