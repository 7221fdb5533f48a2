"""Data of an older version is refused before anything is changed."""

from __future__ import annotations

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tokenplan.management.commands.up import Command
from tokenplan.runtime.older_data import refuse_data_of_another_version

pytestmark = pytest.mark.django_db


def test_data_of_this_version_is_taken() -> None:
    refuse_data_of_another_version()


def test_up_refuses_data_with_a_migration_that_is_no_more_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    MigrationRecorder(connection).record_applied("quota", "0004_renews_at_and_names")
    called: list[str] = []
    monkeypatch.setattr(
        "tokenplan.management.commands.up.call_command", lambda name, **options: called.append(name)
    )
    monkeypatch.setattr("tokenplan.management.commands.up.connections", _Kept())

    with pytest.raises(CommandError) as refused:
        Command().prepare_database()

    assert "quota.0004_renews_at_and_names" in str(refused.value)
    assert "make run DATA=" in str(refused.value)
    assert called == []


class _Kept:
    """The connections of this test, which the command would close."""

    def close_all(self) -> None: ...

    def __getitem__(self, alias: str) -> _Kept:
        return self

    def close_pool(self) -> None: ...
