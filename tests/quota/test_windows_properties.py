"""Windows against a brute-force model that sums raw usage: whatever the policy, the clock and the order of
arrival.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quota.hot_path.buckets import sum_into_buckets
from quota.windows import Bucket, Hold, Limit, Policy, Rule, fits_at, room_for, window_at
from tests.helpers.window_model import FirstUseWindows, Usage, counted

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

lengths = st.sampled_from([3600, 5 * 3600, 86400, 7 * 86400])
# Around a daylight-saving night, on whole steps and a microsecond beside them, and anywhere.
edges = st.builds(
    lambda steps, beside: (
        datetime(2026, 3, 29, tzinfo=UTC) + steps * timedelta(minutes=1) + timedelta(microseconds=beside)
    ),
    st.integers(-600, 600),
    st.sampled_from([-1, 0, 1]),
)
moments = edges | st.datetimes(datetime(2026, 3, 25), datetime(2026, 4, 2), timezones=st.just(UTC))
usages = st.lists(st.tuples(moments, st.integers(1, 500)), max_size=30)
rules = st.one_of(
    st.builds(lambda length: Rule(Policy.ROLLING, length), lengths),
    st.builds(lambda length: Rule(Policy.FIRST_USE, length), lengths),
    st.builds(
        lambda length, days: Rule(Policy.FIXED, length, MONDAY + timedelta(hours=days)),
        lengths,
        st.integers(-99, 99),
    ),
)


@given(rules, usages, moments)
def test_a_window_counts_what_the_raw_usage_says(rule: Rule, usage: Usage, moment: datetime) -> None:
    if rule.policy is Policy.FIRST_USE:
        usage = [(at, n) for at, n in usage if at <= moment]
    window = window_at(Limit("w", rule, 10**6), sum_into_buckets(rule, usage), [], moment)
    assert window.used == counted(rule, usage, moment)


@given(usages, moments)
def test_usage_ahead_of_the_clock_counts_in_the_first_use_window_that_a_call_now_would_open(
    usage: Usage, moment: datetime
) -> None:
    rule = Rule(Policy.FIRST_USE, 3600)
    buckets = sum_into_buckets(rule, [(at, n) for at, n in usage if at > moment])
    soon = [b.used for b in buckets if b.starts_at < moment + rule.length]
    assert window_at(Limit("w", rule, 10**6), buckets, [], moment).used == sum(soon)


@given(lengths, usages, st.lists(moments, max_size=5), moments)
def test_first_use_windows_hold_what_arrived_for_them_whatever_the_order(
    length: int, usage: Usage, held: list[datetime], moment: datetime
) -> None:
    model = FirstUseWindows(Rule(Policy.FIRST_USE, length))
    limit = Limit("w", model.rule, 10**6)
    holds = [Hold(at, 1000) for at in held]
    for at in held:
        model.add(at, 0)
    for at, nanousd in usage:
        buckets = [Bucket(start, used) for start, used in model.used.items()]
        assert room_for(limit, buckets, [], at) == 10**6 - model.used.get(model.of(at), 0)
        before = set(model.used)
        assert model.add(at, nanousd) == model.rule.bucket_start(at, buckets)
        assert before <= set(model.used)
    starts = sorted(model.used)
    assert all(later - start >= model.rule.length for start, later in pairwise(starts))
    buckets = [Bucket(start, used) for start, used in model.used.items()]
    window = window_at(limit, buckets, holds, moment)
    assert window.used == model.used.get(model.of(moment), 0)
    if model.of(moment) in model.used:
        assert window.held == sum(1000 for at in held if model.of(at) == model.of(moment))


@given(rules, usages, moments)
def test_usage_of_more_than_a_length_ago_never_counts(rule: Rule, usage: Usage, moment: datetime) -> None:
    old = [(at, n) for at, n in usage if at <= moment - rule.length]
    assert window_at(Limit("w", rule, 1), sum_into_buckets(rule, old), [], moment).used == 0


@given(rules, usages, moments, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_windows_of_a_rule_count_what_they_would_though_its_buckets_begin_with_the_first_of_them(
    rule: Rule, usage: Usage, begins_at: datetime, later: timedelta
) -> None:
    """Of first_use, what it would had the seat not been used before: no window had been opened."""
    since = rule.counts_from(begins_at)
    moment = begins_at + later
    past = [(at, n) for at, n in usage if at <= moment]
    recent = [(at, n) for at, n in past if at >= since]
    window = window_at(Limit("w", rule, 1), sum_into_buckets(rule, recent), [], moment)
    assert begins_at - rule.length <= since <= begins_at
    assert window.used == counted(rule, recent if rule.policy is Policy.FIRST_USE else past, moment)


@given(rules, usages, moments)
def test_holds_take_the_room_their_usage_would(rule: Rule, usage: Usage, moment: datetime) -> None:
    earlier = [(at, n) for at, n in usage if at <= moment]
    limit = Limit("w", rule, 10**6)
    opened = sum_into_buckets(rule, [(at, 0) for at, _ in earlier])  # by holds, which have used nothing yet
    held = window_at(limit, opened, [Hold(at, n) for at, n in earlier], moment)
    used = window_at(limit, sum_into_buckets(rule, earlier), [], moment)
    assert (held.room, held.starts_at, held.resets_at) == (used.room, used.starts_at, used.resets_at)


@given(rules.filter(lambda rule: rule.policy is not Policy.FIRST_USE), usages, moments, st.integers(0, 5000))
def test_room_is_exactly_what_keeps_every_later_window_within_the_limit(
    rule: Rule, usage: Usage, moment: datetime, nanousd: int
) -> None:
    limit = Limit("w", rule, nanousd)
    room = room_for(limit, sum_into_buckets(rule, usage), [], moment)
    readings = [moment] + [at for at, _ in usage if at > moment]
    if rule.policy is Policy.FIXED:
        readings = [moment]
    step = rule.bucket_start(moment)
    contain = [at for at in readings if rule.bucket_start(at) < step + rule.length]
    fullest = max(counted(rule, usage, at) for at in contain)
    assert room == nanousd - fullest


@given(lengths, usages, st.lists(st.tuples(moments, st.integers(1, 500), st.booleans())), moments)
def test_room_of_a_first_use_window_is_what_no_usage_and_no_hold_of_it_takes(
    length: int, usage: Usage, held: list[tuple[datetime, int, bool]], moment: datetime
) -> None:
    model = FirstUseWindows(Rule(Policy.FIRST_USE, length))
    for at, nanousd in [*usage, *((at, 0) for at, _, _ in held)]:
        model.add(at, nanousd)
    buckets = [Bucket(start, used) for start, used in model.used.items()]
    holds = [Hold(at, nanousd, is_lease=is_lease) for at, nanousd, is_lease in held]
    room = room_for(Limit("w", model.rule, 10**6), buckets, holds, moment)
    start = model.add(moment, 0)  # as the call would open it
    taken = sum(
        nanousd
        for at, nanousd, is_lease in held
        if model.of(at) == start or (is_lease and at < start + model.rule.length)
    )
    assert room == 10**6 - model.used[start] - taken


@given(rules, usages, usages, moments, st.integers(1, 1000), st.data())
def test_what_is_promised_to_fit_fits_then_if_all_holds_lapse(
    rule: Rule, usage: Usage, held: Usage, moment: datetime, amount: int, data: st.DataObject
) -> None:
    past = [(at, n) for at, n in usage if at <= moment]
    buckets = sum_into_buckets(rule, past)
    lives = st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds))
    holds = [
        Hold(at, n, moment + data.draw(lives), is_lease=data.draw(st.booleans()))
        for at, n in held
        if at <= moment
    ]
    limit = Limit("w", rule, 1000)
    promised = fits_at(limit, buckets, holds, amount, moment)
    assert promised is not None
    assert promised >= moment

    def room(at: datetime) -> int:
        return room_for(limit, buckets, [hold for hold in holds if hold.ends_at > at], at)

    assert room(promised) >= amount
    if promised > moment:
        assert room(promised - timedelta(microseconds=1)) < amount


@given(rules, usages, moments, st.integers(1, 1000))
def test_what_is_promised_to_fit_fits_then_and_not_before(
    rule: Rule, usage: Usage, moment: datetime, amount: int
) -> None:
    past = [(at, n) for at, n in usage if at <= moment]
    buckets = sum_into_buckets(rule, past)
    limit = Limit("w", rule, 1000)
    promised = fits_at(limit, buckets, [], amount, moment)
    assert promised is not None
    assert promised >= moment
    assert counted(rule, past, promised) + amount <= 1000
    if promised > moment:
        assert counted(rule, past, moment) + amount > 1000
        assert counted(rule, past, promised - timedelta(microseconds=1)) + amount > 1000
