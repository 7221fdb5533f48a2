"""Rows as long as they come, for lists that are to fit: made, not saved, for any model."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    TextField,
    UUIDField,
)

AT = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)
# Where no choice of words says how long a text is: an id at Stripe, and a mail address, are such texts.
A_WORD = "pi_3QxYwVu8tSrQpOnM1aBcDeFg"
ADDRESS = "maximiliane.oberhuber@subsidiary.example"
SENTENCE = "The card that ends in 4242 was declined for want of money; the Team was told of it at once."
LONGEST_SENTENCE = 100  # what may be longer than that is a sentence
BY_TYPE: tuple[tuple[type[Field[Any, Any]], Any], ...] = (
    (UUIDField, UUID("0192e4a7-7c1f-7bb0-9f2c-5a8d3e6b1c47")),
    (BooleanField, True),
    (DateTimeField, AT),
    (DateField, AT.date()),
    (DecimalField, Decimal("12.50")),
    (IntegerField, 12_345),
    (JSONField, {}),
)


def long_row(model: type[Model], depth: int = 0) -> Any:
    """A row with something in every field, and rows behind its foreign keys."""
    row = model()
    for field in model._meta.concrete_fields:
        if isinstance(field, ForeignKey):
            if depth < 3:
                related: Any = field.related_model
                setattr(row, field.name, long_row(related, depth + 1))
        else:
            setattr(row, field.attname, _value(field))
    return row


def _value(field: Field[Any, Any]) -> Any:
    if field.choices:
        return max(field.flatchoices, key=lambda choice: len(str(choice[1])))[0]
    if field.name.endswith("_nanousd"):
        return 12_345_678_901
    for kind, value in BY_TYPE:
        if isinstance(field, kind):
            return value
    if "email" in field.name or field.name == "to":
        return ADDRESS
    longest = field.max_length or LONGEST_SENTENCE
    if field.name == "name":
        return "Oberhuber & Daughters"[:longest]
    if field.name.endswith("_id"):
        return A_WORD[:longest]
    if isinstance(field, TextField) or longest > LONGEST_SENTENCE:
        return SENTENCE[:longest]
    return A_WORD[:longest]
