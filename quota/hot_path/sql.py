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
    """The rows of the answer, each by column name. Inside of a transaction.

    Values travel apart from the text and in binary form, which is what makes long arrays cheap.
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
        self._all = [(field.attname, field.get_default) for field in model._meta.concrete_fields]

    def new(self, **columns: Any) -> M:
        """`model(**columns)`, columns by their own names, at a quarter of its cost: each call makes two rows.
        Raises TypeError for what is no column. No signal is sent.
        """
        row = self._model.__new__(self._model)
        row._state = ModelState()
        values = row.__dict__
        for name, default in self._all:
            values[name] = columns.pop(name) if name in columns else default()
        if columns:
            raise TypeError(f"{self._model.__name__} has no columns {sorted(columns)}")
        return row

    def json(self, rows: Sequence[M]) -> str:
        """The rows as a JSON array, for `json_populate_recordset`."""
        return orjson.dumps([self._values(row) for row in rows]).decode()

    def json_of(self, row: M) -> str:
        """The row as a JSON object, for `json_populate_record`."""
        return orjson.dumps(self._values(row)).decode()

    def _values(self, row: M) -> dict[str, Any]:
        return {name: getattr(row, name) for name, _ in self._all}
