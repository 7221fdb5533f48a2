"""Statements by hand: rows as JSON, and the row of an answer."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from quota.hot_path.sql import Columns, fetch_all, fetch_row, only_row
from quota.models import RateCardAlias
from tokenplan.kit.postgresql.base import leads_to_the_server


def test_rows_are_json_by_the_names_of_their_columns() -> None:
    columns, row = Columns(RateCardAlias), RateCardAlias(pk=1, card_id=2, alias="a", model="m")
    assert columns.json_of(row) == '{"id":1,"card_id":2,"alias":"a","model":"m"}'
    assert columns.json([row, row]) == f"[{columns.json_of(row)},{columns.json_of(row)}]"


@pytest.mark.django_db
def test_a_row_is_read_by_the_names_of_its_columns() -> None:
    assert fetch_row("SELECT %s::int AS one, 2 AS two", [1]) == {"one": 1, "two": 2}
    assert fetch_row("SELECT 1 AS one WHERE false", []) is None
    assert only_row("SELECT %(one)s::int AS one", {"one": 1}) == {"one": 1}
    with pytest.raises(ValueError, match="WHERE false"):
        only_row("SELECT 1 AS one WHERE false", [])


@pytest.mark.django_db(transaction=True)
def test_rows_are_read_over_a_connection_that_is_not_there_yet() -> None:
    connection.close()
    assert fetch_all("SELECT %(one)s::int AS one", {"one": 1}) == [{"one": 1}]


def test_a_row_that_is_made_of_columns_is_as_the_model_makes_it() -> None:
    given: dict[str, Any] = {"card_id": 2, "alias": "a", "model": "m"}
    made, usual = Columns(RateCardAlias).new(**given), RateCardAlias(**given)
    assert made.__dict__ | {"_state": None} == usual.__dict__ | {"_state": None}
    assert made._state.adding
    assert made._state.db is None


def test_a_row_is_not_made_of_what_is_no_column() -> None:
    with pytest.raises(TypeError, match="no columns"):
        Columns(RateCardAlias).new(card_id=2, alias="a", model="m", colour="red")


@pytest.mark.django_db(transaction=True)
def test_a_statement_of_the_hot_path_is_prepared_where_no_pooler_stands_between() -> None:
    statement = "SELECT %(number)s::int + 1 AS sum, 'of_the_hot_path' AS kind"
    assert fetch_all(statement, {"number": 1}) == [{"sum": 2, "kind": "of_the_hot_path"}]
    assert fetch_all(statement, {"number": 2}) == [{"sum": 3, "kind": "of_the_hot_path"}]
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s"
    assert leads_to_the_server(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute(prepared, ["%of_the_hot_path%"])
        assert cursor.fetchone() == (1,)
