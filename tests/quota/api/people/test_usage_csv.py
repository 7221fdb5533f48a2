"""A Team's usage as CSV."""

from __future__ import annotations

from teams.models import Membership, Team, User
from tests.helpers import factories
from tests.helpers.api_client import Caller, person

CENT = 10_000_000


def test_usage_as_csv_is_exact_and_runs_nothing(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    User.objects.filter(pk=member.user_id).update(email="=cmd()@example.com")
    factories.make_seat(team, scene.plan, holder=member)
    scene.desk.use(5)
    factories.make_desk(member).use(2)
    answer = owner.get(f"teams/{team.slug}/usage.csv?by=day&group=member", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="usage-{team.slug}-2026-05-05-2026-06-04.csv"'
    )
    assert answer.body.splitlines() == [
        "starts_at,member,calls,amount_nanousd,from_quota_nanousd,from_credits_nanousd,from_balance_nanousd,"
        "overrun_nanousd",
        f"2026-06-03T00:00:00Z,{scene.owner.user.email},1,{5 * CENT},{5 * CENT},0,0,0",
        f"2026-06-03T00:00:00Z,'=cmd()@example.com,1,{2 * CENT},{2 * CENT},0,0,0",
    ]
    assert owner.get(f"teams/{team.slug}/usage.csv?by=day&group=model").body.splitlines()[1].split(",")[
        :2
    ] == [
        "2026-06-03T00:00:00Z",
        "penny",
    ]
    assert owner.get(f"teams/{team.slug}/usage.csv").body.splitlines()[1].startswith("2,")
    assert owner.get(f"teams/{team.slug}/usage.csv?by=year").code == "invalid"
    assert person(member.user).get(f"teams/{team.slug}/usage.csv").code == "permission_denied"
