"""Two writings of what a call costs agree: that of the check, in fractions, and that of the product."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quota.pricing import Card, ModelPrices, Price, charge
from quota.selectors.reconcile.charges import cost_of
from tests.helpers.factories import MONDAY

METERS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "calls")
TIERS = st.dictionaries(
    st.sampled_from([0, 10, 1000]),
    st.tuples(st.sampled_from([1, 3, 7, 1000, 1_000_000]), st.integers(0, 10**10)),
    min_size=1,
)


@given(
    tiers=st.dictionaries(st.sampled_from(METERS), TIERS, min_size=1),
    usage=st.dictionaries(st.sampled_from([*METERS, "clips"]), st.integers(0, 3000), min_size=1),
)
def test_the_cost_is_that_of_the_product(
    tiers: dict[str, dict[int, tuple[int, int]]], usage: dict[str, int]
) -> None:
    rows = [(meter, over, *of) for meter, of_meter in tiers.items() for over, of in of_meter.items()]
    prices = tuple(Price(meter, size, nanousd, over) for meter, over, size, nanousd in rows)
    expected = charge(Card(1, MONDAY, {"m": ModelPrices("m", "language", prices)}), "m", usage)
    found = cost_of(usage, {m: [(over, *of) for over, of in t.items()] for m, t in tiers.items()})
    assert found is not None
    assert found.amount == expected.amount
    assert found.unpriced == bool(expected.unpriced)


def test_a_half_is_rounded_up_and_less_is_not() -> None:
    for quantity, amount in ((1, 0), (2, 1), (3, 1)):
        found = cost_of({"calls": quantity}, {"calls": [(0, 4, 1)]})
        assert found is not None
        assert found.amount == amount
