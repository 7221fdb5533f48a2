"""The base of the gateways' addresses: who may call them, how much they read, how they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.api.authentication import GatewayAuthentication, credential_refused
from quota.errors import InvalidUsage
from quota.hot_path.credentials import CredentialEnded
from quota.models import Gateway, QuarantinedRow
from quota.services.quarantine import RejectedRow, keep_rejected
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.parsers import BoundedJSONParser
from tokenplan.kit.problems import Problem, problem_of


class SmallJSONParser(BoundedJSONParser):
    """One call is described in far less than 64 KiB."""

    limit = 65_536


class GatewayView(APIView):
    """For a gateway with its credential; anyone else gets 401."""

    authentication_classes = [GatewayAuthentication]
    permission_classes = []
    parser_classes = [SmallJSONParser]
    content_negotiation_class = JSONAlone
    # Of a decision; None: the database's clock after its locks, so that servers with different clocks agree.
    at: datetime | None = None

    @property
    def gateway(self) -> Gateway:
        return cast(Gateway, self.request.auth)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [GatewayAuthentication(self.at)]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # What is kept or relayed reaches programs that parse it, whatever language is asked for.
        with translation.override(None):
            answer = super().dispatch(request, *args, **kwargs)
        # Through this the request refers to itself. Without it, up to 1,000 rows are gone at once, and not
        # only when the garbage collector comes by: a process had 40 MB of them.
        self.request.parser_context.clear()
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, CredentialEnded):
            exc = credential_refused()
        return super().handle_exception(exc)

    def keep(self, kind: QuarantinedRow.Kind, rows: Sequence[RejectedRow], at: datetime) -> None:
        """Quarantine what was rejected. Where that cannot be, nothing is answered of it: the gateway reports
        it once more, and no usage is lost.
        """
        keep_rejected(gateway=self.gateway, kind=kind, rows=rows, at=at)

    def problem(self, error: Exception) -> Problem:
        """The problem document for whatever was raised."""
        return problem_of(error)

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, Any]], HttpResponse]:
        return lambda error, context: self.problem(error).response()


@contextmanager
def usage_at(pointer: str) -> Iterator[None]:
    """Puts `pointer`, the place of the usage in the body, before the pointer of an InvalidUsage."""
    try:
        yield
    except InvalidUsage as refusal:
        refusal.pointer = pointer + (refusal.pointer or "")
        raise
