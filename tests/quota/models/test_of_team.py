"""What is saved again is found by its Team, too."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from quota.models import CreditGrant, Reservation
from tests.helpers.factories import USD, Scene, give_credits

pytestmark = pytest.mark.django_db


def test_a_row_that_is_saved_names_its_team_and_leaves_it_alone(scene: Scene) -> None:
    scene.desk.ask(1)
    give_credits(scene.team, USD)
    for row in (Reservation.objects.get(), CreditGrant.objects.get()):
        with CaptureQueriesContext(connection) as queries:
            row.save()
        (statement,) = [query["sql"] for query in queries]
        changed, found = statement.split(" WHERE ")
        assert "team_id" not in changed
        assert f'"team_id" = {scene.team.pk}' in found


def test_a_row_of_another_team_is_not_changed(scene: Scene) -> None:
    scene.desk.ask(1)
    row = Reservation.objects.get()
    row.team_id, row.agent = 0, "another"
    with pytest.raises(DatabaseError, match="did not affect any rows"), transaction.atomic():
        row.save(force_update=True)
    assert Reservation.objects.get().agent == ""
