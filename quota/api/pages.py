"""A page of rows that are made together, in a fixed number of queries, and not one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from teams.api.views import PersonView


def page_of(view: PersonView, rows: QuerySet[Any], build: Callable[[list[Any]], Any]) -> Response:
    """`{"next", "previous", "results"}`, the results made by `build` from the rows of this page."""
    paginator = view.pagination_class()
    page = paginator.paginate_queryset(rows, view.request, view) or []
    return paginator.get_paginated_response(build(page))
