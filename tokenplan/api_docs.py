"""The page that shows the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from tokenplan.middleware import CONTENT_SECURITY_POLICY


class ApiDocs(SpectacularSwaggerSplitView):
    """Swagger UI, from this host. It writes style attributes, which no other page may have."""

    @extend_schema(exclude=True)  # a page, no part of the API
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.headers["Content-Security-Policy"] = (
            f"{CONTENT_SECURITY_POLICY}; form-action 'self'; style-src 'self' 'unsafe-inline'"
        )
        return response
