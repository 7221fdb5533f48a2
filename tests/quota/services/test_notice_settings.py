"""Which notices a person gets: the sweep of notices obeys, and without a choice all is as ever."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import IntegrityError, transaction

from quota.models import NoticeSettings
from quota.services import notices
from quota.services.balance import add_to_balance
from quota.services.notice_settings import set_notices
from teams.models import Mail, Role, User
from teams.services.mail import deliver_due
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.notices import send_notices
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db
PENNY = USD // 100
HOUR = timedelta(hours=1)


def choose(
    user: User, *thresholds: int, credits_low: bool = True, balance_low: bool = True
) -> NoticeSettings:
    return set_notices(user=user, thresholds=thresholds, credits_low=credits_low, balance_low=balance_low)


def sent_at(scene: Scene, *percents: int) -> list[str]:
    """The mails about the window, as each of these shares of it is reached."""
    used = 0
    for percent in percents:
        scene.desk.use(percent - used)
        used = percent
        send_notices(at=T0)
    rows = Mail.objects.filter(kind__startswith="quota_").order_by("pk")
    return list(rows.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("chosen", "mails"),
    [
        ((50, 80, 95, 100), ["quota_50", "quota_80", "quota_95", "quota_100"]),
        ((95,), ["quota_95"]),
        ((50,), ["quota_50"]),
        ((), []),
        (None, ["quota_80", "quota_100"]),
    ],
    ids=str,
)
def test_a_window_is_mailed_of_at_the_thresholds_that_were_chosen(
    chosen: Collection[int] | None, mails: list[str]
) -> None:
    scene = make_scene(limits(100 * PENNY, 100 * USD))
    if chosen is not None:
        choose(scene.owner.user, *chosen)

    assert sent_at(scene, 49, 50, 79, 80, 94, 95, 99, 100) == mails


def test_the_highest_that_is_reached_is_mailed_and_no_lower_one_after_it() -> None:
    scene = make_scene(limits(100 * PENNY, 100 * USD))
    choose(scene.owner.user, 50, 95)

    assert sent_at(scene, 97) == ["quota_95"]
    send_notices(at=T0 + HOUR)
    assert Mail.objects.filter(kind__startswith="quota_").count() == 1


def test_what_one_person_chooses_leaves_others_alone() -> None:
    scene = make_scene(limits(100 * PENNY, 100 * USD))
    choose(make_user(), 50)

    assert sent_at(scene, 60, 85) == ["quota_80"]


@pytest.mark.parametrize("wanted", [True, False])
def test_low_pools_are_mailed_to_the_managers_who_want_it(wanted: bool) -> None:
    use_test_rate_card()
    team = make_team()
    admin = make_member(team, role=Role.ADMIN)
    choose(owner_of(team).user, credits_low=wanted, balance_low=not wanted)
    give_credits(team, 2 * USD)
    add_to_balance(team=team, nanousd=2 * USD, source="test", cause="test", at=T0, by=None)
    make_desk(make_member(team, credits=True)).use(150)

    send_notices(at=T0)

    got = set(Mail.objects.filter(kind="credits_low").values_list("to", flat=True))
    assert got == {admin.user.email, *([owner_of(team).user.email] if wanted else [])}


def test_each_of_these_mails_says_where_to_choose() -> None:
    scene = make_scene(limits(100 * PENNY, 100 * USD))
    give_credits(scene.team, PENNY)
    choose(scene.owner.user, 50, 80, 95, 100)
    sent_at(scene, 50, 80, 95, 100)

    deliver_due(at=T0 + HOUR)

    letters = [one for one in outbox.outbox if not one.subject.startswith("You have a seat")]
    assert sorted(one.subject.partition(" in ")[0] for one in letters) == [
        "10 Credits are left",
        *(f"{percent}.00% of your 5-hour quota" for percent in (50, 80, 95)),
        "Your 5-hour quota",
    ]
    for one in letters:
        assert "account/notices/ which of these notices you get, and when." in one.body


def test_a_choice_is_kept_once_in_order_and_changed_whole() -> None:
    ada = make_user()
    choose(ada, 95, 50, 50)
    assert choose(ada, 100, 80, credits_low=False).thresholds == [80, 100]

    row = NoticeSettings.objects.get()
    assert (row.thresholds, row.credits_low, row.balance_low) == ([80, 100], False, True)


def test_another_threshold_is_refused_by_the_service_and_by_the_database() -> None:
    ada = make_user()
    with pytest.raises(InvalidValue) as refusal:
        choose(ada, 80, 81)
    assert refusal.value.pointer == "/thresholds"
    for wrong in ([81], [80, 0], [100, 100, 1]):
        with pytest.raises(IntegrityError), transaction.atomic():
            NoticeSettings.objects.create(user=ada, thresholds=wrong)
    assert not NoticeSettings.objects.exists()


def test_what_waits_and_is_not_wanted_any_more_is_not_mailed() -> None:
    scene = make_scene(limits(100 * PENNY, 100 * USD))
    give_credits(scene.team, PENNY)
    owner, admin = scene.owner.user, make_member(scene.team, role=Role.ADMIN).user
    choose(owner, 50)
    scene.desk.use(60)
    notices.send_notices(at=T0)
    mails = Mail.objects.filter(kind__in=["quota_50", "credits_low"]).order_by("kind", "pk")
    of_both = {("quota_50", owner.email), ("credits_low", owner.email), ("credits_low", admin.email)}

    choose(owner, 50, 80, balance_low=False)
    assert set(mails.values_list("kind", "to")) == of_both
    choose(owner, 80)
    assert set(mails.values_list("kind", "to")) == of_both - {("quota_50", owner.email)}
    choose(owner, 80, credits_low=False)
    assert list(mails.values_list("kind", "to")) == [("credits_low", admin.email)]
