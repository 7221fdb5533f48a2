"""Every address of the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

WRITES = ("post", "put", "patch", "delete")


def api_views() -> Iterator[tuple[str, type[APIView]]]:
    """Every address under /api/v1/ with its view, the first where two share one."""
    seen = set()
    for route, pattern in _walk(get_resolver().url_patterns, ""):
        view = getattr(pattern.callback, "view_class", None)
        if route.startswith("api/v1/") and view and route not in seen:
            seen.add(route)
            yield route, view


def _walk(patterns: Any, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern
