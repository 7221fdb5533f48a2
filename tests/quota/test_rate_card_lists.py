"""A price list as a file says it: default holds and aliases beside prices, refused whole for a wrong line."""

from pathlib import Path

import pytest

from quota.errors import RateCardInvalid
from quota.rate_card_lists import read_rate_card_list

HEADER = "model,modality,meter,unit_size,usd_per_unit,context_over,note,alias_of\n"
PENNY = "penny,language,calls,1,0.01,,,\n"
SHIPPED = Path("quota/data/rate_card.csv")


def test_a_list_has_prices_default_holds_and_aliases() -> None:
    rows = read_rate_card_list(
        HEADER + "cent,,,,,,,penny\n" + PENNY + "penny,language,default_hold,1,0.05,,five calls,\n"
    )
    assert [(row.meter, row.nanousd_per_unit) for row in rows.prices] == [
        ("calls", 10_000_000),
        ("default_hold", 50_000_000),
    ]
    assert [(row.alias, row.model) for row in rows.aliases] == [("cent", "penny")]


def test_a_list_without_the_column_of_aliases_has_none() -> None:
    assert (
        read_rate_card_list(HEADER.replace(",alias_of", "") + "penny,language,calls,1,0.01,,\n").aliases == ()
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("penny,language,default_hold,1,0.05,,,\n", "The list has no prices"),
        (PENNY + "other,language,default_hold,1,0.05,,,\n", "other has a default hold and no price"),
        (PENNY + "penny,language,default_hold,2,0.05,,,\n", "Line 3: a default hold is one amount above 0"),
        (PENNY + "penny,language,default_hold,1,0,,,\n", "Line 3: a default hold is one amount above 0"),
        (PENNY + "penny,language,default_hold,1,1000000.01,,,\n", "Line 3: a default hold is one amount"),
        (PENNY + "penny,language,default_hold,1,0.05,10,,\n", "Line 3: a default hold is one amount above 0"),
        (PENNY + 2 * "penny,language,default_hold,1,0.05,,,\n", "Line 4: penny default_hold is priced twice"),
        (PENNY + "cent,,,,,,,nobody\n", "cent is an alias of nobody, which has no price"),
        (PENNY + "cent,,,,,,,penny\ncoin,,,,,,,cent\n", "coin is an alias of cent, which has no price"),
        (PENNY + "penny,,,,,,,penny\n", "penny is an alias and has prices of its own"),
        (
            PENNY + "dime,language,calls,1,0.1,,,\ncent,,,,,,,penny\ncent,,,,,,,dime\n",
            "Line 5: cent is an alias of two models",
        ),
        (PENNY + "dime,language,calls,ten,0.1,,,\n", "Line 3: unit_size is a whole number, not “ten”"),
        (PENNY + "dime,language,calls,1,0.1,1.5,,\n", "Line 3: context_over is a whole number, not “1.5”"),
        (PENNY + ",,,,,,,penny\n", "Line 3: an alias needs a name"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_its_line(lines: str, message: str) -> None:
    with pytest.raises(RateCardInvalid, match=message):
        read_rate_card_list(HEADER + lines)


def test_every_model_of_the_shipped_list_has_a_default_hold() -> None:
    rows = read_rate_card_list(SHIPPED.read_text()).prices
    assert {row.model for row in rows} == {row.model for row in rows if row.meter == "default_hold"}
