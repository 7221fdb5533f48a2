"""What operators type: what the commands say, and how they end."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


def test_each_sweep_is_a_command_that_says_how_much_it_did() -> None:
    assert said("work_inbox") == "0 events worked, 0 to be tried again."
    assert said("top_up") == "0 top-ups paid."
    assert said("finish_payments") == "0 things finished."


def test_without_prices_there_is_nothing_to_publish() -> None:
    with pytest.raises(
        CommandError, match=r"^Nothing is on sale yet. Run manage.py load_plans and load_prices first.$"
    ):
        said("sync_stripe")


@pytest.mark.parametrize("command", ["sync_stripe", "reconcile_stripe"])
def test_a_stripe_that_does_not_answer_is_said_in_one_sentence(command: str, settings: Any) -> None:
    put_on_sale()
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(CommandError, match=r"^The payment service does not answer; try again in a minute$"):
        said(command)


def test_the_local_stripe_needs_no_webhook_endpoint(settings: Any) -> None:
    put_on_sale()
    settings.LOCAL_STRIPE = True

    with pytest.raises(CommandError, match=r"^The local Stripe knows where to send its events."):
        said("sync_stripe", "--webhook")
