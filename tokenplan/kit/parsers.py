"""Reads requests: the credential in the header, and the JSON body.

A body is bounded in size, its numbers are finite, and its text can be stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, ClassVar, NoReturn

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.problems import BodyEncoded, body_too_large

DEFAULT_LIMIT = 1_048_576


def bearer(request: Request) -> str | None:
    """The credential of `Authorization: Bearer …`; None when there is no such header."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


class BoundedJSONParser(BaseParser):
    """Reads at most API_MAX_BODY_BYTES (1 MiB unless set), as they were sent, and refuses what plain `json`
    would let pass.

    A subclass may set a `limit` of its own. With `storable = False` it lets text pass that cannot be stored,
    because its view checks each row.

    It is no JSONParser of the REST framework: those get a body that was read whole, however large.
    """

    media_type = "application/json"
    limit: ClassVar[int | None] = None
    storable: ClassVar[bool] = True

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {}).get("request")
        if request is not None and request.headers.get("Content-Encoding", "identity") != "identity":
            raise BodyEncoded
        limit = self.limit or int(getattr(settings, "API_MAX_BODY_BYTES", DEFAULT_LIMIT))
        body: bytes = stream.read(limit + 1)
        if len(body) > limit:
            raise body_too_large(limit)
        return parse_json(body, storable=self.storable)


def parse_json(body: bytes, *, storable: bool = True) -> Any:
    """The value. Raises ParseError for other than JSON in UTF-8, InvalidValue for text that cannot be stored.

    With `storable=False` such text passes.
    """
    try:
        value = _STRICT.decode(body.decode())
        # These escapes are rare: the raw text is searched first, so that a normal body is not walked through.
        if storable and (b"\\u0000" in body or b"\\ud" in body.lower()):
            _refuse_unstorable(value, "")
    except UnicodeDecodeError as error:
        raise ParseError(_("The body is not UTF-8.")) from error
    except RecursionError as error:
        raise ParseError(_("The body is nested too deeply.")) from error
    except json.JSONDecodeError as error:
        raise ParseError(_("The body is not JSON: %(error)s.") % {"error": error}) from error
    except ValueError as error:
        raise ParseError(_("A number in the body is too large.")) from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ParseError(_("%(name)s is not JSON.") % {"name": name})


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ParseError(_("A number in the body is too large."))
    return number


# Made once, since every call of a gateway has a body.
_STRICT = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _refuse_unstorable(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise InvalidValue(_("Text may not hold NUL or half a surrogate pair."), pointer=pointer)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unstorable(name, pointer)
            _refuse_unstorable(inner, f"{pointer}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unstorable(inner, f"{pointer}/{index}")
