"""The bodies that gateways send, read by hand: strict, and fast enough for every call.

Whole numbers are JSON integers, never booleans, floats or text. Every wrong field is named: a
`ValidationError` whose detail is nested like the body, so that each gets its JSON Pointer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension
from quota.hot_path.holds import AuthorizeRequest
from quota.money import MAX_NANOUSD
from quota.pricing import MAX_QUANTITY

MOST_ROWS = 1000
MOST_METERS = 40
MOST_TAGS = 8
MODEL_LENGTH = 100
ID_LENGTH = 128
AGENT_LENGTH = 64
TAG_LENGTH = 64
HANDLE_LENGTH = 40
# So many that a moment can still be reckoned with; the gateway's own limit is lower.
MOST_SECONDS = 10**8

METER = re.compile(r"[a-z_]{1,40}")
# Control characters, and halves of surrogate pairs, which no database column holds.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

T = TypeVar("T")

NOWHERE = UUID(int=0)
NEVER = datetime.min.replace(tzinfo=UTC)


class Fields:
    """An object of a body, read field by field. `done` raises for everything that was wrong, and for what
    was not read: no such field is known.
    """

    def __init__(self, body: object) -> None:
        if type(body) is not dict:
            raise ValidationError({"non_field_errors": [_("This is a JSON object.")]})
        self._body: dict[str, object] = body
        self._read: set[str] = set()
        self._errors: dict[str, Any] = {}

    def done(self) -> None:
        for name in sorted(self._body.keys() - self._read)[:MOST_METERS]:
            self._wrong(name, _("There is no such field."), None)
        if self._errors:
            raise ValidationError(self._errors)

    def _get(self, name: str, missing: object = None) -> object:
        self._read.add(name)
        return self._body.get(name, missing)

    def given(self, name: str) -> bool:
        """Whether the body says anything about it: null says nothing."""
        return self._body.get(name) is not None

    def refuse(self, name: str, error: str) -> None:
        """Name one more field that is wrong, beside those that are found wrong as they are read."""
        self._read.add(name)
        self._wrong(name, error, None)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; `default` where it is null or missing."""
        value = self._get(name)
        if value is None:
            return default
        return value if type(value) is bool else self._wrong(name, _("This is true or false."), default)

    def whole_number(self, name: str, least: int, most: int) -> int | None:
        """None where it is null or missing."""
        value = self._get(name)
        if value is None or (type(value) is int and least <= value <= most):
            return value
        limits = {"least": least, "most": most}
        return self._wrong(name, _("This is a whole number from %(least)s to %(most)s.") % limits, None)

    def tags(self, name: str) -> tuple[str, ...] | None:
        """Up to 8 different texts of 1 to 64 printable characters; None where it is null or missing."""
        value = self._get(name)
        if value is None:
            return None
        if type(value) is not list or len(value) > MOST_TAGS:
            return self._wrong(name, _("This is a list of up to %(most)s texts.") % {"most": MOST_TAGS}, None)
        for tag in value:
            if type(tag) is not str or not 0 < len(tag) <= TAG_LENGTH or UNPRINTABLE.search(tag):
                error = _("A tag has from 1 to %(most)s characters, and no control characters.")
                return self._wrong(name, error % {"most": TAG_LENGTH}, None)
        return tuple(dict.fromkeys(value))

    def optional_moment(self, name: str) -> datetime | None:
        """None where it is null or missing."""
        return None if self._get(name) is None else self.moment(name)

    def text(self, name: str, longest: int, *, optional: bool = False) -> str:
        """A text of 1 to `longest` printable characters; an optional one may be null, empty or missing."""
        value = self._get(name)
        if optional and value is None:
            return ""
        if type(value) is not str:
            return self._wrong(name, _("This is a text.") if name in self._body else _("This is needed."), "")
        if len(value) > longest or not (value or optional):
            return self._wrong(name, _("This has from 1 to %(most)s characters.") % {"most": longest}, "")
        if UNPRINTABLE.search(value):
            return self._wrong(name, _("This has no control characters."), "")
        return value

    def key_text(self, name: str) -> str:
        """A credential, however wrong: a caller that sent none, or garbage, has an invalid key."""
        value = self._get(name, 0)
        if value is None or type(value) is str:
            return value or ""
        return self._wrong(name, _("This is a text.") if name in self._body else _("This is needed."), "")

    def optional_uuid(self, name: str) -> UUID | None:
        """None where it is null or missing."""
        return None if self._get(name) is None else self.uuid(name)

    def uuid(self, name: str) -> UUID:
        value = self._get(name)
        try:
            if type(value) is str and len(value) == 36:
                return UUID(value)
        except ValueError:
            pass
        return self._wrong(name, _("This is the id that authorize answered, a UUID."), NOWHERE)

    def moment(self, name: str) -> datetime:
        """A moment with its offset from UTC, turned into UTC."""
        value = self._get(name)
        try:
            moment = datetime.fromisoformat(value) if type(value) is str else None
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        return self._wrong(
            name, _("This is an ISO 8601 moment with an offset, as 2026-06-04T15:00:00Z."), NEVER
        )

    def optional_usage(self, name: str) -> dict[str, int] | None:
        """None where it is null or missing."""
        return None if self._get(name) is None else self.usage(name)

    def usage(self, name: str) -> dict[str, int]:
        """Meter to quantity. Whether the model has the meter is for the rate card to say."""
        value = self._get(name)
        if type(value) is not dict:
            return self._wrong(name, _("This is an object of meters and quantities."), {})
        if not 0 < len(value) <= MOST_METERS:
            return self._wrong(
                name, _("Name from 1 to %(most)s meters with their quantities.") % {"most": MOST_METERS}, {}
            )
        wrong = {}
        for meter, quantity in value.items():
            if not METER.fullmatch(meter):
                wrong[meter] = [_("A meter is written with 1 to 40 of a-z and _.")]
            elif type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
                wrong[meter] = [
                    _("A quantity is a whole number from 0 to %(most)s.") % {"most": MAX_QUANTITY}
                ]
        return self._wrong(name, wrong, {}) if wrong else value

    def rows(self, name: str) -> list[object]:
        value = self._get(name)
        if type(value) is not list or len(value) > MOST_ROWS:
            return self._wrong(name, _("This is a list of up to %(most)s rows.") % {"most": MOST_ROWS}, [])
        return value

    def _wrong(self, name: str, error: str | dict[str, list[str]], instead: T) -> T:
        self._errors[name] = [error] if isinstance(error, str) else error
        return instead


def authorize_request(body: object) -> AuthorizeRequest:
    """The body of authorize: of one call, or of a lease, which names an amount instead of a model."""
    fields = Fields(body)
    is_lease = fields.given("hold_nanousd")
    for name in ("model", "estimate"):
        if is_lease and fields.given(name):
            fields.refuse(name, _("A lease, with hold_nanousd, is for calls of any model."))
    parsed = AuthorizeRequest(
        request_id=fields.text("request_id", ID_LENGTH),
        key_text=fields.key_text("key"),
        model="" if is_lease else fields.text("model", MODEL_LENGTH),
        estimate=None if is_lease else fields.optional_usage("estimate"),
        agent=fields.text("agent", AGENT_LENGTH, optional=True),
        hold_nanousd=fields.whole_number("hold_nanousd", 1, MAX_NANOUSD),
        lifetime_seconds=fields.whole_number("lifetime_seconds", 1, MOST_SECONDS),
        tags=fields.tags("tags") or (),
    )
    fields.done()
    return parsed


def settle(body: object) -> Report:
    """The body of settle."""
    fields = Fields(body)
    report = Report(
        usage=fields.usage("usage"),
        model=fields.text("model", MODEL_LENGTH, optional=True),
        estimated=fields.flag("estimated", default=False),
    )
    fields.done()
    return report


def draw(body: object) -> Report:
    """The body of draw."""
    fields = Fields(body)
    report = _draw(fields, fields.text("id", ID_LENGTH))
    fields.done()
    return report


def _draw(fields: Fields, draw_id: str) -> Report:
    return Report(
        usage=fields.usage("usage"),
        model=fields.text("model", MODEL_LENGTH, optional=True),
        estimated=fields.flag("estimated", default=False),
        draw_id=draw_id,
        occurred_at=fields.optional_moment("occurred_at"),
        agent=fields.text("agent", AGENT_LENGTH, optional=True),
        tags=fields.tags("tags"),
    )


def extension(body: object) -> Extension:
    """The body of extend, which asks for something."""
    fields = Fields(body)
    parsed = Extension(
        lifetime_seconds=fields.whole_number("lifetime_seconds", 1, MOST_SECONDS),
        estimate=fields.optional_usage("estimate"),
        hold_nanousd=fields.whole_number("hold_nanousd", 1, MAX_NANOUSD),
    )
    if parsed.estimate is not None and parsed.hold_nanousd is not None:
        fields.refuse("hold_nanousd", _("Give an estimate or an amount, not both."))
    if parsed == Extension():
        fields.refuse("lifetime_seconds", _("Give lifetime_seconds, an estimate, or hold_nanousd."))
    fields.done()
    return parsed


def nothing(body: object) -> None:
    """The body of release, which has none, or an object without fields. A `usage` here is no release."""
    if body:
        Fields(body).done()


def settlement(row: object) -> Settlement:
    """One of the rows of settlements."""
    fields = Fields(row)
    closes = fields.flag("final", default=True)
    draw_id = fields.text("id", ID_LENGTH, optional=closes)
    parsed = Settlement(fields.uuid("reservation"), _draw(fields, draw_id), closes)
    fields.done()
    return parsed


def event(row: object) -> ReportedEvent:
    """One of the rows of events."""
    fields = Fields(row)
    by_handle = fields.given("key_handle")
    if by_handle and fields.given("key"):
        fields.refuse("key", _("Name the key by its text or by its handle, not by both."))
    parsed = ReportedEvent(
        id=fields.text("id", ID_LENGTH),
        key_text="" if by_handle else fields.key_text("key"),
        key_handle=fields.text("key_handle", HANDLE_LENGTH, optional=True),
        model=fields.text("model", MODEL_LENGTH),
        usage=fields.usage("usage"),
        occurred_at=fields.moment("occurred_at"),
        agent=fields.text("agent", AGENT_LENGTH, optional=True),
        tags=fields.tags("tags") or (),
        reservation_id=fields.optional_uuid("reservation"),
    )
    fields.done()
    return parsed


def rows(body: object, name: str) -> list[object]:
    """The rows of a bulk body, unread."""
    fields = Fields(body)
    parsed = fields.rows(name)
    fields.done()
    return parsed
