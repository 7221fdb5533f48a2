"""A Team's API balance and what its API keys have spent, for showing. All amounts are nano-dollars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quota.models import ApiKeyMonth, CreditGrant, OwedUsage, TeamCredits
from quota.models.months import month_of
from quota.selectors.credits import team_credits
from teams.models import ApiKey, Team


@dataclass(frozen=True, slots=True)
class ApiBalance:
    """`cash` was bought, `vouchers` were given and expire; `owed`: what calls used beyond both, which the
    next payment pays first.
    """

    cash: int
    vouchers: int
    owed: int

    @property
    def total(self) -> int:
        return self.cash + self.vouchers


def api_balance(team: Team, at: datetime) -> ApiBalance:
    """What is left in the lots that can be drawn from."""
    lots = CreditGrant.objects.for_team(team).api_balance().live(at)
    return ApiBalance(
        cash=lots.filter(expires_at=None).remaining(),
        vouchers=lots.exclude(expires_at=None).remaining(),
        owed=OwedUsage.objects.for_team(team).api_balance().left(),
    )


def is_low(team: Team, balance: ApiBalance, rules: TeamCredits) -> bool:
    """Is it below what the Team wants to be warned at? Never where nothing was ever paid in."""
    if not rules.warns_of_balance or balance.total >= rules.low_api_balance_nanousd:
        return False
    return CreditGrant.objects.for_team(team).api_balance().exists()


def balance_to_top_up(team: Team, at: datetime) -> ApiBalance | None:
    """Where it is low, or where the Team's API keys are refused for want of it; else None."""
    balance = api_balance(team, at)
    if is_low(team, balance, team_credits(team.pk)):
        return balance
    keys = ApiKey.objects.for_team(team).live(at)
    return balance if (balance.owed or not balance.total) and keys.exists() else None


def account_balance(account: str, team_id: int, at: datetime) -> int:
    """What is left in the lots of an account that can be drawn from."""
    return CreditGrant.objects.filter(team_id=team_id).of_account(account).live(at).remaining()


def month_used(keys: Iterable[ApiKey], at: datetime) -> dict[int, int]:
    """What each key has spent in the calendar month (UTC) of `at`, by its id."""
    ids = [key.pk for key in keys]
    rows = ApiKeyMonth.objects.filter(api_key__in=ids, month=month_of(at)).values_list(
        "api_key_id", "used_nanousd"
    )
    return dict.fromkeys(ids, 0) | dict(rows)
