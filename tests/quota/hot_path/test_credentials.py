"""Which texts are credentials, and that a gateway is read whole by one look-up."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.hot_path.credentials import is_credential, recognise_gateway
from quota.services.gateways import create_gateway
from tests.helpers.factories import T0


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("gw-" + "a" * 40, True),
        ("gx-" + "a" * 40, False),
        ("gw-" + "é" * 40, False),
        ("gw-" + "a" * 39, False),
        ("gw-" + "a" * 41, False),
    ],
)
def test_a_credential_has_its_form_and_no_other_text_has_it(text: str, is_one: bool) -> None:
    assert is_credential(text) is is_one


@pytest.mark.django_db
def test_a_gateway_is_read_whole() -> None:
    _, text = create_gateway(name="edge", at=T0, by=None)
    found = recognise_gateway(text=text, at=T0)
    assert found is not None
    assert found.get_deferred_fields() == set()


@pytest.mark.django_db
def test_for_a_text_that_is_no_credential_the_database_is_not_asked() -> None:
    with CaptureQueriesContext(connection) as asked:
        assert recognise_gateway(text="garbage", at=T0) is None
    assert len(asked) == 0
