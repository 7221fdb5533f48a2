"""Text that people write: names, addresses, files. Raises InvalidValue."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from tokenplan.kit.errors import InvalidValue


def read_operator_file(file: Path) -> str:
    """The text of a file that an operator wrote, by whatever program: with a byte order mark or without one,
    with lines that end in CRLF or LF.

    Raises InvalidValue for text that is not UTF-8, OSError for a file that cannot be read.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValue(
            _("%(file)s is not text in UTF-8 (byte %(position)d). Save it as UTF-8 and load it again.")
            % {"file": file, "position": error.start}
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def clean_name(value: str, *, pointer: str, limit: int = 100, required: bool = True) -> str:
    """The name on one line, without doubled spaces.

    Names travel into mails and CSV, so a line break or an invisible direction mark in one is refused.
    """
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for sign in value):
        raise InvalidValue(_("A name has visible characters only, on one line."), pointer=pointer)
    name = " ".join(unicodedata.normalize("NFC", value).split())
    if required and not name:
        raise InvalidValue(_("A name is needed."), pointer=pointer)
    if len(name) > limit:
        too_long = _("A name has at most %(limit)s characters.") % {"limit": limit}
        raise InvalidValue(too_long, pointer=pointer)
    return name


def searched(value: str) -> str:
    """What somebody typed to search for: at most 100 signs on one line, without control signs, which no name
    has and which the database refuses.
    """
    plain = "".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in value[:100])
    return " ".join(plain.split())


def plain_address(value: str) -> None:
    """Raises ValidationError for an address with other signs than ASCII (docs/decisions/0020)."""
    if not value.isascii():
        raise ValidationError(
            _("Write the address in letters from a to z, digits and signs; a domain in other letters xn--….")
        )


def canonical_email(value: str) -> str:
    """The one form in which addresses are kept and compared: ASCII, in small letters.

    Raises ValidationError for one that has no such form.
    """
    email = value.strip()
    plain_address(email)
    return email.lower()


def clean_email(value: str, *, pointer: str) -> str:
    """The address in its one form. Raises InvalidValue."""
    try:
        email = canonical_email(value)
    except ValidationError as error:
        raise InvalidValue(error.message, pointer=pointer) from error
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidValue(_("This is not an e-mail address."), pointer=pointer) from error
    if len(email) > 254:
        raise InvalidValue(_("An e-mail address has at most 254 characters."), pointer=pointer)
    return email
