"""Many rows at once, as copies of one that the product has made, but for what is unique of each."""

from __future__ import annotations

from django.db import connection
from django.db.models import AutoField, GeneratedField, Model


def copies(row: Model, count: int, /, **own: str) -> int:
    """So many copies of the row; `own` says of a column in SQL what copy `n` (from 1) has in it. Where ids
    are counted, the copy's is `last + n`, and `last` is returned.
    """
    fields = [field for field in row._meta.concrete_fields if not isinstance(field, GeneratedField)]
    table, key = row._meta.db_table, row._meta.pk.column
    last = 0
    with connection.cursor() as cursor:
        if isinstance(row._meta.pk, AutoField):
            cursor.execute(f"SELECT max({key}) FROM {table}")
            last = cursor.fetchone()[0]
            own = {key: f"{last} + n", **own}
        columns = [field.column for field in fields]
        assert own.keys() <= set(columns), own
        copied = ", ".join(own.get(column, f't."{column}"') for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {copied} FROM {table} t, generate_series(1, %s) AS n"
            f" WHERE t.{key} = %s",
            [count, row.pk],
        )
        if last:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), {last + count})")
    return last
