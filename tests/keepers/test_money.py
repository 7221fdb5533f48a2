"""Money is an int of nano-dollars, in the database too."""

import pytest
from django.apps import apps
from django.db import models


@pytest.mark.parametrize("app", ["teams", "quota", "billing"])
def test_no_column_is_a_float_and_every_amount_is_a_whole_number(app: str) -> None:
    fields = [field for model in apps.get_app_config(app).get_models() for field in model._meta.local_fields]
    assert fields
    assert [str(field) for field in fields if isinstance(field, models.FloatField)] == []
    amounts = [
        field.output_field if isinstance(field, models.GeneratedField) else field
        for field in fields
        if field.name.endswith("nanousd")
    ]
    assert [str(field) for field in amounts if not isinstance(field, models.BigIntegerField)] == []
