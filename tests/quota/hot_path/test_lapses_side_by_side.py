"""What is left of several holds is charged in one sweep: what comes late to one of them is of that alone."""

import pytest

from quota.models import UsageEvent
from quota.selectors.reconcile import differences
from quota.services.reservations import charge_lapsed_holds
from tests.helpers.factories import T0
from tests.helpers.hot_path import HOUR, PENNY, bar, charging_scene

pytestmark = pytest.mark.django_db


def test_a_late_draw_leaves_of_its_own_hold_what_was_charged_of_that() -> None:
    scene = charging_scene()
    first = scene.desk.lease(5 * PENNY, seconds=600)
    second = scene.desk.lease(2 * PENNY, seconds=600)
    assert charge_lapsed_holds(at=T0 + HOUR) == 2
    # Another sweep charges what its late draw has left of the second one, later than all of the first.
    scene.desk.draw(second, 1, at=T0 + 2 * HOUR, draw_id="late")
    scene.desk.draw(first, 1, at=T0 + 3 * HOUR, draw_id="late")
    charged = [
        sum(
            UsageEvent.objects.filter(reservation=held.reservation_id).values_list(
                "amount_nanousd", flat=True
            )
        )
        for held in (first, second)
    ]
    assert charged == [5 * PENNY, 2 * PENNY]
    assert bar(scene, T0 + 3 * HOUR)[0] == (7, 0)
    assert not list(differences(T0 + 3 * HOUR))
