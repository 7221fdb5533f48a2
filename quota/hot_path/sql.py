"""Statements written by hand, where every call of every gateway pays for each round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import orjson
import psycopg
from django.db import connection
from django.db.models import Model
from django.db.models.base import ModelState
from psycopg.rows import dict_row

M = TypeVar("M", bound=Model)


def fetch_row(sql: str, params: Sequence[Any] | dict[str, Any]) -> dict[str, Any] | None:
    """The first row of the answer, by column name; None when there is none."""
    # In a pipeline the BEGIN of a transaction travels with its first statement, not ahead of it. Leaving the
    # pipeline may fail too, when the connection has gone.
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        connection.connection.pipeline(),
    ):
        cursor.execute(sql, params)
        row = cursor.fetchone()
        return dict(zip((column[0] for column in cursor.description), row, strict=True)) if row else None


def fetch_all(sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the answer, each by column name.

    Values travel apart from the text and in binary form, which is what makes long arrays cheap. So the server
    reads the text once a connection and keeps it prepared, unless a pooler stands between.
    """
    with connection.wrap_database_errors:
        connection.ensure_connection()
        cursor = psycopg.Cursor(connection.connection, row_factory=dict_row)
        cursor.execute(sql, params, binary=True)
        return cursor.fetchall()


def only_row(sql: str, params: Sequence[Any] | dict[str, Any]) -> dict[str, Any]:
    """The row of a statement that always answers one, by column name. Raises ValueError where it does not."""
    row = fetch_row(sql, params)
    if row is None:
        raise ValueError(sql)
    return row


class Columns(Generic[M]):
    """All columns of a model, for database functions that write rows."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        fields = model._meta.concrete_fields
        self._names = [field.attname for field in fields]
        # Such as a list or a moment: made anew for each row.
        anew = [field for field in fields if field.has_default() and callable(field.default)]
        self._made_anew = {field.attname: field.get_default for field in anew}
        self._same = {field.attname: field.get_default() for field in fields if field not in anew}

    def new(self, **columns: Any) -> M:
        """`model(**columns)`, columns by their own names, at a fraction of its cost: a call makes two rows.
        Raises TypeError for what is no column. No signal is sent.
        """
        values = self._same | columns
        for name, make in self._made_anew.items():
            if name not in columns:
                values[name] = make()
        if len(values) > len(self._names):
            raise TypeError(
                f"{self._model.__name__} has no columns {sorted(columns.keys() - {*self._names})}"
            )
        row = self._model.__new__(self._model)
        row._state = ModelState()
        row.__dict__.update(values)
        return row

    def json(self, rows: Sequence[M]) -> str:
        """The rows as a JSON array, for `json_populate_recordset`."""
        return orjson.dumps([self._values(row) for row in rows], default=_as_text).decode()

    def json_of(self, row: M) -> str:
        """The row as a JSON object, for `json_populate_record`."""
        return orjson.dumps(self._values(row), default=_as_text).decode()

    def _values(self, row: M) -> dict[str, Any]:
        of_row = row.__dict__
        return {name: of_row[name] for name in self._names}


def _as_text(value: object) -> str:
    """Bytes as PostgreSQL reads them; JSON has none."""
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    raise TypeError
