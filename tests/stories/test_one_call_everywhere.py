"""One call goes through every floor; receipt, page, API, trackers, report and ledger say the same of it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from quota.services.gateways import create_gateway
from quota.services.rate_cards import load_rate_card
from tests.helpers.factories import (
    CREDIT,
    MONDAY,
    T0,
    allow_credits,
    give_credits,
    key_of,
    make_plan,
    make_seat,
    owner_of,
)
from tests.helpers.factories import make_team as new_team
from tests.helpers.reading import read

RATES = "model,modality,meter,unit_size,usd_per_unit,context_over,note\n" + "\n".join(
    f"M,language,{meter},1000000,{usd},,"
    for meter, usd in (("input_tokens", "0.30"), ("output_tokens", "1.20"))
)


@pytest.mark.django_db(transaction=True)
def test_every_place_that_shows_a_call_says_the_same() -> None:
    load_rate_card(text=RATES, effective_from=MONDAY, at=MONDAY, by=None)
    team = new_team("Acme")
    owner = owner_of(team)
    make_seat(team, make_plan("max"), holder=owner)
    give_credits(team, 12_000 * CREDIT)
    allow_credits(owner)
    _, gateway_key = create_gateway(name="edge", at=T0, by=None)
    key, client = key_of(owner), Client()

    def gateway(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(
            f"/api/v1/gateway/{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {gateway_key}"},
        )
        assert answer.status_code in (200, 201), answer.content
        return dict(answer.json())

    def ask(url: str) -> dict[str, Any]:
        return dict(client.get(url, headers={"Authorization": f"Bearer {key}"}).json())

    with time_machine.travel(T0 + timedelta(minutes=1), tick=False):
        estimate = {"input_tokens": 30_000_000, "output_tokens": 1_000_000}
        held = gateway("authorize", {"request_id": "1", "key": key, "model": "M", "estimate": estimate})
        # $10.20 asked; $9.90 in five hours, the rest in Credits.
        assert (held["from_quota_nanousd"], held["from_credits_nanousd"]) == (9_900_000_000, 300_000_000)
        usage = {"input_tokens": 33_000_000, "output_tokens": 123_457}
        receipt = gateway(f"reservations/{held['reservation']}/settle", {"usage": usage})
        assert receipt["amount_nanousd"] == 9_900_000_000 + 148_148_400
        assert (receipt["from_quota_nanousd"], receipt["from_credits_nanousd"]) == (
            9_900_000_000,
            148_148_400,
        )

        bar = ask("/api/v1/usage")
        five_hours, week = bar["windows"]
        assert [five_hours["used_nanousd"], five_hours["remaining_nanousd"]] == [9_900_000_000, 0]
        assert [week["used_nanousd"], week["used_percent"]] == [9_900_000_000, 10.0]
        assert bar["windows"] == receipt["windows_after"]
        assert bar["credits"]["balance"] == "11851.8516"

        (row,) = ask("/v1/token_plan/remains")["model_remains"]
        assert (row["current_interval_remaining_percent"], row["current_interval_status"]) == (0, 2)
        assert (row["current_weekly_remaining_percent"], row["current_weekly_status"]) == (90, 1)
        assert row["end_time"] == 1_780_498_800_000  # 15:00 UTC, as the bar says
        assert five_hours["resets_at"] == "2026-06-03T15:00:00Z"

        client.force_login(owner.user)
        page = read(client, "/account/")
        assert "5-hour window ■ on Credits since 10:03 UTC 100% $0.00 left of $9.90 · $9.90 back in" in page
        assert "Weekly window 10% $89.10 left of $99.00 · resets Mon 8 Jun, 00:00 UTC" in page
        assert "Balance of the Team 11,851.8516 You may use them Yes" in page

        report = client.get("/api/v1/teams/acme/usage?by=day&group=model").json()
        assert report["total"]["amount_nanousd"] == receipt["amount_nanousd"]
        call_command("reconcile")
