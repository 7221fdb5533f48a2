"""`manage.py migrate` may take as long as it takes."""

import pytest
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import connection


def statement_timeout(column: str = "setting") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM pg_settings WHERE name = 'statement_timeout'")
        timeout: str = cursor.fetchone()[0]
    return timeout


@pytest.mark.django_db
def test_a_migration_has_no_limit_of_time_and_what_follows_it_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(
        migrate.Command, "handle", lambda *_args, **_options: seen.append(statement_timeout())
    )
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '7s'")
    call_command("migrate", verbosity=0)
    assert seen == ["0"]
    assert statement_timeout() == statement_timeout("reset_val")
