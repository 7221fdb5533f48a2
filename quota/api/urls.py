"""Addresses of the first floor's API.

`urlpatterns` lie under /api/v1/, before those of the ground floor, some of which they extend;
`tracker_patterns` lie where existing trackers look.
"""

from __future__ import annotations

from django.urls import path

from quota.api import bulk, compat, gateway, usage

urlpatterns = [
    path("gateway/authorize", gateway.Authorize.as_view(), name="api-authorize"),
    path("gateway/reservations/<uuid:reservation>/settle", gateway.Settle.as_view(), name="api-settle"),
    path("gateway/reservations/<uuid:reservation>/release", gateway.Release.as_view(), name="api-release"),
    path("gateway/settlements", bulk.Settlements.as_view(), name="api-settlements"),
    path("gateway/events", bulk.Events.as_view(), name="api-events"),
    path("usage", usage.Usage.as_view(), name="api-usage"),
    path("usage/receipts", usage.Receipts.as_view(), name="api-receipts"),
    path("usage/receipts/<uuid:pk>", usage.Receipt.as_view(), name="api-receipt"),
    path("usage/series", usage.Series.as_view(), name="api-series"),
]

tracker_patterns = [
    path("v1/token_plan/remains", compat.Remains.as_view(), name="remains"),
    path("v1/api/openplatform/coding_plan/remains", compat.Remains.as_view(), name="remains-legacy"),
]
