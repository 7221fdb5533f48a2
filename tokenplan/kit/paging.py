"""Lists, a page at a time, stable while rows are added."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor as Position
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.reach import reach_of

M = TypeVar("M", bound=Model)
Row = TypeVar("Row")
SIZE = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)


class Cursor(CursorPagination):
    """`?cursor=…&page_size=…`: 50 rows unless asked otherwise, 200 at most, newest first by default.
    A size that is no whole number above 0 is refused (InvalidValue).
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering: str | tuple[str, ...] = "-id"

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param)
        if not text:
            return self.page_size
        if not SIZE.fullmatch(text):
            raise InvalidValue(_("This is a whole number above 0."), pointer=f"/{self.page_size_query_param}")
        return min(int(text), self.max_page_size)

    def paginate_queryset(
        self, queryset: QuerySet[M, Row], request: Request, view: APIView | None = None
    ) -> list[Row] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError) as error:  # a cursor that we did not hand out
            raise NotFound(_("This cursor is not valid; start without one.")) from error


class LatestOfMany(Cursor):
    """The latest first by `moment`, of rows of which few may match: a page looks through no more of `among`
    than `reach` says, and leads on from there, however few it has.
    """

    moment: str
    among: QuerySet[Any] | None = None
    _reach: datetime | None = None

    def paginate_queryset(
        self, queryset: QuerySet[M, Row], request: Request, view: APIView | None = None
    ) -> list[Row] | None:
        cursor = self.decode_cursor(request)
        if self.among is not None and not (cursor and cursor.reverse):
            rows = self.among
            if cursor and cursor.position is not None:
                rows = self._until(rows, str(cursor.position))
            self._reach = reach_of(rows, self.moment)
        if self._reach is not None:
            queryset = queryset.filter(**{f"{self.moment}__gte": self._reach})
        return super().paginate_queryset(queryset, request, view)

    def get_next_link(self) -> str | None:
        if self.has_next or self._reach is None:
            return super().get_next_link()
        last = Position(offset=0, reverse=False, position=str(self._reach))  # type: ignore[arg-type]  # a text
        return self.encode_cursor(last)

    def _until(self, rows: QuerySet[Any], position: str) -> QuerySet[Any]:
        try:
            return rows.filter(**{f"{self.moment}__lte": position})
        except (ValueError, ValidationError) as error:
            raise NotFound(_("This cursor is not valid; start without one.")) from error


class OldestFirst(Cursor):
    """In the order in which the rows were made."""

    ordering = ("id",)


class NewestFirst(Cursor):
    """Of rows with a moment `at`: the latest first."""

    ordering = ("-at", "-id")
