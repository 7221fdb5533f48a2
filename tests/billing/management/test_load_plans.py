"""`manage.py load_plans`: fills what is empty, and shows how the list differs from what is on sale."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from quota.models import Plan
from tests.helpers.factories import limits, make_plan

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> list[str]:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_what_an_operator_changed_is_shown_and_not_put_back() -> None:
    for command in ("load_plans", "load_prices"):
        said(command)
    make_plan("max", limits(12_500_000_000))
    said("load_plans")
    assert (Plan.objects.filter(code="max").count(), Plan.objects.current("max").version) == (2, 2)
