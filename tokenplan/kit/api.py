"""Bases of the API's views: bounded JSON in, cursor-paginated JSON out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.paging import Cursor
from tokenplan.kit.parsers import BoundedJSONParser

# A body or an answer that is not a row of one model.
Shape = serializers.Serializer[Any]


class ApiView(APIView):
    """A view of the API; subclasses say who may use it."""

    parser_classes = [BoundedJSONParser]
    pagination_class: ClassVar[type[Cursor]] = Cursor

    def page(self, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """One page of the rows as `{"next", "previous", "results"}`."""
        now = timezone.now()
        return self.page_built(rows, lambda page: serializer(page, many=True, context={"now": now}).data)

    def page_built(self, rows: QuerySet[Any], build: Callable[[list[Any]], Any]) -> Response:
        """As `page`; `build` makes the results from all rows of the page together, so that the number of
        queries does not grow with the rows.
        """
        paginator = self.pagination_class()
        page: list[Model] = paginator.paginate_queryset(rows, self.request, self) or []
        return paginator.get_paginated_response(build(page))


def checked(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The body as the serializer validated it. Raises ValidationError for a wrong field, and for one that is
    not known: what is passed over today may mean something tomorrow.
    """
    body = serializer(data=request.data)
    body.is_valid()
    wrong: dict[str, Any] = dict(body.errors)
    if isinstance(body, serializers.Serializer) and isinstance(request.data, dict):
        known = {name for name, field in body.fields.items() if not field.read_only}
        for name in sorted(request.data.keys() - known):
            wrong[name] = [gettext("There is no such field.")]
    if wrong:
        raise serializers.ValidationError(wrong)
    return cast(dict[str, Any], body.validated_data)


def checked_change(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """As `checked`, of a body in which what is left out stays as it is: one that names nothing is refused."""
    body = checked(serializer, request)
    if not body:
        names = [name for name, field in serializer().fields.items() if not field.read_only]
        raise InvalidValue(gettext("Say what to change: %(names)s.") % {"names": ", ".join(names)})
    return body


class JSONAlone(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says, so that no program is refused for a header."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        return next((p for p in parsers if request.content_type.split(";")[0] == p.media_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
