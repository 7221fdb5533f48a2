"""How the OpenAPI document shows failures: as problem documents, by the refusals an operation names."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.utils import OpenApiResponse

from tokenplan.kit.errors import InvalidValue, Refusal
from tokenplan.kit.problems import MEDIA_TYPE, UNAVAILABLE_PROBLEM

PROBLEM: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `pointer` (RFC 6901) is the first wrong field, `errors` all.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "pointer": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["pointer", "detail"],
            },
        },
        "retry_after": {"type": "integer", "description": "Seconds."},
    },
    "required": ["type", "title", "status", "detail", "code"],
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: each operation answers its failures as a Problem."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    answer = {
        "description": "Refused, or failed: a problem document.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("default", answer)
    return result


Responses = dict[tuple[int, str], OpenApiResponse]


def refusals(*kinds: type[Refusal], problem: dict[str, Any] = PROBLEM) -> Responses:
    """The answers that these refusals make; 422 `invalid` and 503 `unavailable` are always among them.

    The document is in the default language, whoever asks for it.
    """
    codes: dict[int, dict[str, str]] = {}
    named: tuple[type[Refusal], ...] = (InvalidValue, *kinds)
    with translation.override(settings.LANGUAGE_CODE):
        codes[UNAVAILABLE_PROBLEM.status] = {UNAVAILABLE_PROBLEM.code: str(UNAVAILABLE_PROBLEM.title)}
        for kind in named:
            codes.setdefault(kind.status, {})[kind.code] = str(kind.title)
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            problem, "; ".join(f"`{code}`: {title}" for code, title in sorted(codes[status].items()))
        )
        for status in sorted(codes)
    }
