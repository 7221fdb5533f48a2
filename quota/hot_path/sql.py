"""Statements written by hand, where every call of every gateway pays for each round trip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from django.db import connection
from django.db.models import JSONField, Model
from psycopg.rows import dict_row


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


class Columns:
    """All columns of a model, for an INSERT that does more than Django's own."""

    def __init__(self, model: type[Model]) -> None:
        fields = model._meta.concrete_fields
        self._all = [field.attname for field in fields]
        self._json = {field.attname for field in fields if isinstance(field, JSONField)}
        self.names = ", ".join(self._all)
        self.placeholders = ", ".join(
            f"%({name})s{'::jsonb' if name in self._json else ''}" for name in self._all
        )

    def values(self, row: Model) -> dict[str, Any]:
        """What the placeholders stand for."""
        return {
            name: json.dumps(getattr(row, name)) if name in self._json else getattr(row, name)
            for name in self._all
        }

    def json(self, rows: Sequence[Model]) -> str:
        """The rows as a JSON array, for `json_populate_recordset`."""
        return orjson.dumps([{name: getattr(row, name) for name in self._all} for row in rows]).decode()
