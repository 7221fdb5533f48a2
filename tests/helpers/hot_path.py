"""What the tests of the hot path share. `scene` is the fixture of tests/quota/conftest.py."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import record_events
from quota.hot_path.catalog import windows_around
from quota.hot_path.credentials import recognise_gateway
from quota.hot_path.events import ReportedEvent
from quota.models import CreditLedgerEntry, Gateway, Reservation, UsageBucket, UsageEvent
from quota.selectors.usage_bar import usage_bar
from quota.services.gateways import create_gateway
from quota.windows import QuotaWindow
from teams import keytext
from tests.helpers.factories import T0, Scene, give_credits, limits, make_scene

PENNY = 10_000_000
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def database_clock() -> datetime:
    """The moment by the clock that all servers of the console share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def recognised_gateway() -> Gateway:
    """As requests have it: with the credential by which it was recognised."""
    _, text = create_gateway(name="recognised", at=T0, by=None)
    gateway = recognise_gateway(text=text, at=T0)
    assert gateway
    return gateway


def statements(work: Callable[[], object]) -> list[str]:
    """What is asked of the database, but for where the transaction begins and ends."""
    with CaptureQueriesContext(connection) as queries:
        work()
    return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]


def used(scene: Scene) -> list[int]:
    """What both windows count a minute after `T0`."""
    return [window.used for window in usage_bar(scene.owner, T0 + MINUTE).windows]


def parts(event: UsageEvent | None) -> tuple[int, int, int]:
    """Cents of a charge, which there is, that quota, Credits and nobody paid; they add up to it."""
    assert event is not None
    nanousd = (event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd)
    assert sum(nanousd) == event.amount_nanousd
    return nanousd[0] // PENNY, nanousd[1] // PENNY, nanousd[2] // PENNY


def windows_before(event: UsageEvent) -> list[QuotaWindow]:
    """The windows just before the charge, as its receipt shows them."""
    return windows_around(event)[0]


def windows_after(event: UsageEvent) -> list[QuotaWindow]:
    """The same just after it."""
    return windows_around(event)[1]


def left(held: Authorization) -> tuple[int, int, str]:
    """Cents of quota and of Credits that draws have left of a hold, and its state."""
    row = Reservation.objects.get(pk=held.reservation_id)
    return row.left_quota_nanousd // PENNY, row.left_credits_nanousd // PENNY, row.state


def bar(scene: Scene, moment: datetime) -> list[tuple[int, int]]:
    """Cents that each window has used and holds."""
    return [(w.used // PENNY, w.held // PENNY) for w in usage_bar(scene.owner, moment).windows]


def reported(scene: Scene, name: str, calls: int, moment: datetime, *, at: datetime) -> UsageEvent:
    """The charge of so many calls that nobody had asked for, reported under this id."""
    row = ReportedEvent(name, scene.desk.key, "penny", {"calls": calls}, moment)
    (result,) = record_events(gateway=scene.desk.gateway, events=[row], at=at)
    assert result.is_new, result
    return UsageEvent.objects.get(external_id=name)


def counts() -> tuple[int, int, int, int]:
    """Rows that a call may write: reservations, events, buckets, and ledger entries but for purchases."""
    return (
        Reservation.objects.count(),
        UsageEvent.objects.count(),
        UsageBucket.objects.count(),
        CreditLedgerEntry.objects.exclude(kind="purchase").count(),
    )


def asked_of_credits(work: Callable[[], object]) -> list[bool]:
    """Of each time that this work asks what the Credits or the API balance can pay, whether it locks them."""
    with CaptureQueriesContext(connection) as queries:
        work()
    found = (
        re.search(r"quota_(?:usable_\w+|write_hold)\(.*?(true|false)\s*\)", q["sql"], re.S) for q in queries
    )
    return [match[0].rstrip(") \n").endswith("true") for match in found if match]


def forged(key: str) -> str:
    """A text with the id of this key, another secret, and the checksum that belongs to it."""
    body = key[: -keytext.CHECKSUM_LENGTH]
    body = body[:-1] + ("0" if body[-1] != "0" else "1")
    return body + keytext._checksum(body)


def hold(scene: Scene, calls: int, *, lease: bool, seconds: int = 900) -> Authorization:
    """By a lease of that many seconds, or by a call."""
    return scene.desk.lease(calls * PENNY, seconds=seconds) if lease else scene.desk.ask(calls)


def charging_scene() -> Scene:
    """A Max seat of 10 cents in five hours and 50 a week, 30 Credit cents, and a gateway that charges what
    lapses.
    """
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    give_credits(scene.team, 30 * PENNY, expires_at=T0 + 30 * 24 * HOUR)
    charging(scene)
    return scene


def charging(scene: Scene) -> None:
    """From now on the scene's gateway charges what lapses."""
    Gateway.objects.update(charge_hold=True)
    scene.desk.gateway.refresh_from_db()
