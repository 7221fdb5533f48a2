"""The small gateway passes the contract kit; and a gateway that breaks the contract does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from quota.services.gateways import create_gateway
from tests.helpers.contract_kit import kept_running, kill_command, kit
from tests.helpers.factories import T0, USD, key_of, limits, make_plan, make_seat, make_team, owner_of
from tests.helpers.serving import free_port
from tests.helpers.small_gateway import fake_model
from tokenplan.runtime.programs import small_gateway_command

# Those that wait for the console, for streams or for a restart.
TAKES_LONG = "restart or away or wrong_clock or lost or storm or at_once or breaks_off"


@pytest.fixture
def options(request: pytest.FixtureRequest, live_server: LiveServer, tmp_path: Path) -> Iterator[list[str]]:
    """The kit's options for a small gateway that asks a console with two seats, and is kept running. A test
    may choose a fault of tests/helpers/faulty_gateway.py that it has.
    """
    call_command("load_rate_card", stdout=StringIO())
    credential = create_gateway(name="small", at=T0, by=None)[1]
    keys = []
    for name, plan in (("Acme", make_plan(at=T0)), ("Full", make_plan("plus", limits(USD, USD), at=T0))):
        owner = owner_of(team := make_team(name, at=T0))
        make_seat(team, plan, holder=owner, at=T0)
        keys.append(key_of(owner))
    model, proxy, port = (f"127.0.0.1:{free_port()}" for _ in range(3))
    fault = getattr(request, "param", "")
    variables = {
        "CONSOLE_URL": f"http://{proxy}",
        "GATEWAY_KEY": credential,
        "UPSTREAM_URL": f"http://{model}",
        "UPSTREAM_KEY": "sk-upstream",
        "FAULT": fault,
    }
    command = small_gateway_command(host="127.0.0.1", port=int(port.rpartition(":")[2]))
    if fault:
        command[-1] = "tests.helpers.faulty_gateway:create"
    pid_file = tmp_path / "gateway.pid"
    with kept_running(command, variables, pid_file):
        yield [
            *("--gateway", f"http://{port}", "--console", live_server.url, "--key", keys[0]),
            *("--exhausted-key", keys[1], "--gateway-credential", credential),
            *("--model-server", model, "--console-proxy", proxy, "--restart", kill_command(pid_file)),
        ]


@pytest.mark.slow
def test_the_small_gateway_passes_what_is_quick(options: list[str]) -> None:
    run = kit(*options, "-k", f"not ({TAKES_LONG})")
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.findall(r"\d+ (?:passed|failed|skipped)", run.stdout) == ["34 passed", "2 skipped"]


@pytest.mark.slow
def test_the_small_gateway_passes_the_rest(options: list[str]) -> None:
    run = kit(*options, "-k", TAKES_LONG)
    assert run.returncode == 0, run.stdout + run.stderr


ANSWER = {
    "content": [{"type": "text", "text": "Hello"}],
    "choices": [{"message": {"content": "Hello"}}],
    "usage": {"input_tokens": 1, "output_tokens": 1, "prompt_tokens": 1, "completion_tokens": 1},
}


@pytest.mark.slow
def test_a_gateway_that_asks_nobody_fails_and_reads_what_it_must_do(options: list[str]) -> None:
    """A server that answers every call, whatever the key, and never heard of a console."""
    with fake_model() as free:
        free.script = lambda path, body: (
            200,
            {"Content-Type": "application/json", "Connection": "close"},
            [json.dumps(ANSWER).encode()],
        )
        options[options.index("--gateway") + 1] = free.url
        run = kit(*options, "--patience", "1", "-k", "refusals and (work or larger) or answer_is_charged")
    assert run.returncode == 1
    for code, text in (
        ("refuse a key that does not work", "docs/errors.md#refusals"),
        ("refuse a call larger than a whole window", "docs/errors.md#calls"),
        ("settle each call once", "docs/api.md#a-gateway-asks-and-settles"),
    ):
        assert re.search(rf"The gateway must {code}.*\n.*The contract: {text}\n", run.stdout), run.stdout
    assert "10 failed" in run.stdout


FAULTS = {
    "has_one_id_for_all": ("make the `request_id` of each call itself|answer a call", "repeated"),
    "says_that_all_was_reported": ("settle what was seen of a stream that ended early", "leaves"),
    "forgets_who_leaves": ("settle what was seen of a stream that ended early", "leaves"),
    "settles_but_once": (
        "send a settlement again until it is answered",
        "ends_while_the_console",
    ),
    "asks_once": ("ask again with the same `request_id`", "authorize_is_lost"),
    "goes_on_without_the_console": ("refuse calls with 503", "nothing_is_allowed"),
    "charges_what_failed": ("release the hold of a call that the model did not answer", "does_not_answer"),
    "hides_the_time_to_wait": ("refuse a call that a full window has no room for", "full_window"),
    "waits_by_its_own_clock": ("leave moments to the console's clock", "time_to_wait and ahead"),
    "speaks_one_protocol": ("send a refusal in the shape of its caller's protocol", "does_not_work"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "rule", "check"), [(f, *what) for f, what in FAULTS.items()], indirect=["options"], ids=FAULTS
)
def test_a_fault_of_a_gateway_is_noticed(options: list[str], rule: str, check: str) -> None:
    run = kit(*options, "--patience", "3", "-k", check)
    assert run.returncode == 1, run.stdout
    assert re.search(rf"The gateway must (?:{rule})", run.stdout), run.stdout


def test_without_a_key_the_kit_says_what_it_needs() -> None:
    run = kit("--gateway", "http://127.0.0.1:9")
    assert run.returncode == 2
    assert "Needed: --console, --key. README.md says how." in run.stdout + run.stderr
