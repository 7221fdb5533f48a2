"""Statements by hand: the columns of a model, and the row of an answer."""

from __future__ import annotations

import pytest
from django.db import connection

from quota.hot_path.sql import Columns, fetch_all, fetch_row, only_row
from quota.models import RateCardAlias, Reservation


def test_the_columns_of_a_model_are_named_and_each_has_a_placeholder() -> None:
    columns = Columns(RateCardAlias)
    assert columns.names == "id, card_id, alias, model"
    assert columns.placeholders == "%(id)s, %(card_id)s, %(alias)s, %(model)s"
    row = RateCardAlias(pk=1, card_id=2, alias="a", model="m")
    assert columns.values(row) == {"id": 1, "card_id": 2, "alias": "a", "model": "m"}


def test_json_is_given_to_the_database_as_text_and_nothing_else_is() -> None:
    columns = Columns(Reservation)
    given = [column for column in columns.placeholders.split(", ") if column.endswith("::jsonb")]
    assert given == ["%(tags)s::jsonb"]
    values = columns.values(Reservation(tags=["a"], windows=[], agent="b"))
    assert (values["tags"], values["windows"], values["agent"]) == ('["a"]', [], "b")


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
