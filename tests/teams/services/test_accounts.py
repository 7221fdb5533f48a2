from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from teams.errors import SeatTaken
from teams.models import AuditEntry, Membership, Role, Team, User
from teams.services import accounts
from teams.services.teams import create_team, insert_with_free_slug
from tests.helpers.people import NOON, person
from tests.helpers.races import race
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import refused_by

pytestmark = pytest.mark.django_db


def test_an_account_opens_a_default_team_with_its_user_as_owner() -> None:
    user = User.objects.create_user("Ann.Lee@example.com", "x")
    owner = accounts.open_account(user=user, at=NOON)
    assert (owner.user, owner.role, owner.joined_at, owner.ended_at) == (user, Role.OWNER, NOON, None)
    assert owner.team.default_for == user
    assert owner.team.name == "Default Team"
    assert owner.team.slug.startswith("annlee-")
    assert list(AuditEntry.objects.values_list("action", "by", "at")) == [("team.created", user.pk, NOON)]


@pytest.mark.parametrize(
    ("chosen", "of_the_page", "name"),
    [("", "zh-hans", "个人团队"), ("zh-hans", "en", "个人团队"), ("en", "zh-hans", "Default Team")],
)
def test_a_default_team_is_named_in_the_persons_language(chosen: str, of_the_page: str, name: str) -> None:
    user = User.objects.create_user("ann@example.com", "x", language=chosen)
    with override(of_the_page):
        assert accounts.open_account(user=user, at=NOON).team.name == name


def test_opening_it_again_changes_nothing() -> None:
    user = person("ann@example.com")
    assert accounts.open_account(user=user, at=NOON).team == user.default_team
    assert Team.objects.count() == Membership.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_open_one() -> None:
    user = User.objects.create_user("ann@example.com", "x")
    opened = race(*[lambda: accounts.open_account(user=user, at=NOON).team_id] * 10)
    assert opened == [Team.objects.get().pk] * 10


def test_an_address_without_latin_letters_still_makes_a_slug() -> None:
    user = User.objects.create_user("_@example.com", "x")
    assert accounts.open_account(user=user, at=NOON).team.slug.startswith("team-")


def test_addresses_that_differ_in_case_are_one_person() -> None:
    user = person("ann@example.com")
    assert User.objects.get_by_natural_key("ANN@Example.com") == user
    with pytest.raises(IntegrityError, match="one_user_per_email"), transaction.atomic():
        User.objects.create_user("Ann@example.com", "x")


def test_the_database_lets_nobody_else_into_a_default_team() -> None:
    ann, bob = person("ann@example.com"), person("bob@example.com")
    with pytest.raises(IntegrityError, match="exactly one member"), transaction.atomic():
        Membership.objects.create(team=ann.default_team, user=bob, role=Role.MEMBER, joined_at=NOON)
    with pytest.raises(IntegrityError, match="exactly one member"), transaction.atomic():
        ann.default_team.memberships.update(ended_at=NOON)


def test_the_database_keeps_a_default_team_its_users() -> None:
    ann, bob = person("ann@example.com"), User.objects.create_user("bob@example.com", "x")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Team.objects.filter(pk=ann.default_team.pk).update(default_for=bob)
    regular = create_team(name="Acme", by=ann, at=NOON).team
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Team.objects.filter(pk=regular.pk).update(default_for=bob)


def test_the_audit_log_is_append_only() -> None:
    person("ann@example.com")
    for forbidden in ("UPDATE teams_auditentry SET subject = 'x'", "DELETE FROM teams_auditentry"):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(forbidden)
    assert AuditEntry.objects.get().subject == "Default Team"


def test_a_second_default_team_is_a_defect_and_no_refusal() -> None:
    ann = person("ann@example.com")
    with pytest.raises(IntegrityError, match="default_for"):
        insert_with_free_slug(name="Default Team", at=NOON, stem="ann", slugs=[], default_for=ann)


def test_a_person_may_take_a_name_and_drop_it() -> None:
    user = person("ann@example.com")
    assert user.display_name == "ann@example.com"
    assert accounts.set_name(user=user, name="  Ann   Lee ").display_name == "Ann Lee"
    assert accounts.set_name(user=user, name="").display_name == "ann@example.com"


@pytest.mark.parametrize("zone", ["", "utc", "Mars/Base", "Europe/Berlin "])
def test_a_time_zone_is_one_of_those_there_are(zone: str) -> None:
    user = person("ann@example.com")
    accounts.set_profile(user=user, name="Ann", time_zone="Europe/Berlin", language="")

    with pytest.raises(InvalidValue) as refusal:
        accounts.set_profile(user=user, name="Eve", time_zone=zone, language="")

    assert refusal.value.pointer == "/time_zone"
    user.refresh_from_db()
    assert (user.name, user.time_zone) == ("Ann", "Europe/Berlin")


def test_the_database_refuses_a_time_zone_of_another_shape() -> None:
    with pytest.raises(IntegrityError, match="a_time_zone_has_a_name_as_of_the_iana_database"):
        User.objects.create_user("ann@example.com", "x", time_zone="Mars Base")


def test_a_superuser_is_staff() -> None:
    user = User.objects.create_superuser("root@example.com", "x")
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_a_broken_constraint_that_nobody_foresaw_is_not_dressed_up_as_a_refusal() -> None:
    person("ann@example.com")
    with pytest.raises(IntegrityError, match="one_user_per_email"), refused_by(some_other_rule=SeatTaken):
        User.objects.create_user("Ann@example.com", "x")


def test_an_account_is_closed_once_and_says_when() -> None:
    ann = person("ann@example.com")

    accounts.deactivate(user=ann, by=None, at=NOON)
    accounts.deactivate(user=ann, by=None, at=NOON + timedelta(hours=1))

    ann.refresh_from_db()
    assert (ann.is_active, ann.deactivated_at) == (False, NOON)
    assert AuditEntry.objects.filter(action="account.closed").count() == 1


def test_an_account_that_is_closed_while_an_operator_edits_it_stays_closed() -> None:
    edited = person("ann@example.com")
    accounts.deactivate(user=User.objects.get(pk=edited.pk), by=None, at=NOON)

    edited.name, edited.time_zone = "Ann", "Asia/Tokyo"
    accounts.save_by_operator(user=edited, changed=["name", "groups"], by=None, at=NOON)

    ann = User.objects.get(pk=edited.pk)
    assert (ann.name, ann.time_zone) == ("Ann", "UTC")
    assert (ann.is_active, ann.deactivated_at) == (False, NOON)


@pytest.mark.parametrize(("active", "moment"), [(False, None), (True, NOON)])
def test_the_database_refuses_a_flag_that_disagrees_with_its_moment(
    active: bool, moment: datetime | None
) -> None:
    person("ann@example.com")
    with pytest.raises(IntegrityError, match="an_account_is_closed_at_a_moment"):
        User.objects.update(is_active=active, deactivated_at=moment)
