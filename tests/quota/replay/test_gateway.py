"""A replay against servers that are away, wrong, or not the API at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tokenplan.runtime.folders import ROOT

Script = Callable[[int, str], tuple[int, dict[str, str], str]]

RECEIPT: dict[str, Any] = {
    "id": "r",
    "usage": {"input_tokens": 100, "output_tokens": 10},
    "amount_nanousd": 42_000,
    "from_quota_nanousd": 42_000,
    "from_credits_nanousd": 0,
    "overrun_nanousd": 0,
    "prices": [
        {"meter": "input_tokens", "unit_size": 1_000_000, "nanousd_per_unit": 300_000_000},
        {"meter": "output_tokens", "unit_size": 1_000_000, "nanousd_per_unit": 1_200_000_000},
    ],
}


class Served:
    """An HTTP server that answers the n-th request as its script says."""

    def __init__(self) -> None:
        self.script: Script = good
        self.requests: list[dict[str, Any]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                served.requests.append(json.loads(body))
                status, headers, text = served.script(len(served.requests), self.path)
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def good(number: int, path: str) -> tuple[int, dict[str, str], str]:
    if path.endswith("authorize"):
        return 201, {}, json.dumps({"reservation": "r"})
    return 200, {}, json.dumps(RECEIPT)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "trace.csv"
    rows = ["2023-11-16 18:17:03.9799600,100,10"] * 50
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
    return file


def arguments(trace: Path, url: str) -> list[str]:
    return [str(trace), "--url", url, "--keys", "sk-cp-x", "--gateway-key", "gw-x"]


def run(trace: Path, url: str, *more: str) -> str:
    out = StringIO()
    call_command("replay", *arguments(trace, url), "--limit", "1", *more, stdout=out)
    return out.getvalue()


def failed(trace: Path, url: str, *more: str) -> str:
    with pytest.raises(CommandError) as error:
        run(trace, url, *more)
    return str(error.value)


@pytest.mark.slow
def test_a_server_that_is_away_is_asked_again_with_the_same_request(served: Served, trace: Path) -> None:
    away: dict[int, tuple[int, dict[str, str], str]] = {
        1: (503, {"Retry-After": "0.1"}, "{}"),
        2: (0, {}, ""),  # hangs up
        4: (502, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, "<html>"),
    }
    served.script = lambda number, path: away.get(number) or good(number, path)
    said = run(trace, served.url)
    assert "asked again   3\n" in said
    assert "allowed       1\n" in said
    assert served.requests[0] == served.requests[1] == served.requests[2]
    assert served.requests[3] == served.requests[4] == {"usage": {"input_tokens": 100, "output_tokens": 10}}


def test_a_server_that_stays_away_is_no_answer(served: Served, trace: Path) -> None:
    served.script = lambda number, path: (503, {}, "{}")
    assert "1 calls: no answer after 1 attempts (status 503)" in failed(
        trace, served.url, "--patience", "0.5"
    )
    url = served.url
    served.server.shutdown()
    served.server.server_close()
    assert "ConnectError" in failed(trace, url, "--patience", "0")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, {}, '{"code": "internal"}'), "1 calls: authorize was answered with 500 internal"),
        ((500, {}, "<html>"), "1 calls: status 500"),
        ((415, {}, "{}"), "1 calls: authorize was answered with 415"),
        ((404, {}, "<html>"), "is not this API: status 404"),
        ((200, {}, "[]"), "is not this API: status 200"),
        ((401, {}, '{"code": "authentication_failed", "detail": "no"}'), "credential is not accepted: no"),
    ],
)
def test_what_is_no_answer_about_the_call_fails_the_replay(
    served: Served, trace: Path, answer: tuple[int, dict[str, str], str], reason: str
) -> None:
    served.script = lambda number, path: answer
    assert reason in failed(trace, served.url)


def test_a_call_that_cannot_be_settled_fails_the_replay(served: Served, trace: Path) -> None:
    served.script = lambda number, path: (
        (409, {}, '{"code": "reservation_released"}') if path.endswith("settle") else good(number, path)
    )
    assert "settle was answered with 409 reservation_released" in failed(trace, served.url)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"usage": {"input_tokens": 1, "output_tokens": 10}}, "it is for {'input_tokens': 1"),
        ({"from_quota_nanousd": 41_999}, "its parts add up to 41999, not 42000"),
        ({"amount_nanousd": 42_001, "overrun_nanousd": 1}, "its own prices make 42000, not 42001"),
    ],
)
def test_a_receipt_that_is_wrong_fails_the_replay(
    served: Served, trace: Path, change: dict[str, Any], reason: str
) -> None:
    served.script = lambda number, path: (
        (200, {}, json.dumps({**RECEIPT, **change})) if path.endswith("settle") else good(number, path)
    )
    assert reason in failed(trace, served.url)


def test_answers_that_lack_what_they_are_for_fail_the_replay(served: Served, trace: Path) -> None:
    served.script = lambda number, path: (200, {}, "{}") if path.endswith("settle") else good(number, path)
    assert "settle was answered with 200" in failed(trace, served.url)
    served.script = lambda number, path: (201, {}, "{}")
    assert "authorize was answered with 201" in failed(trace, served.url)


@pytest.mark.processes
@pytest.mark.slow
def test_ctrl_c_gives_the_summary_so_far(served: Served, trace: Path) -> None:
    reached = threading.Event()

    def slow_after_ten(number: int, path: str) -> tuple[int, dict[str, str], str]:
        if number > 20:
            reached.set()
            return 503, {"Retry-After": "5"}, "{}"
        return good(number, path)

    served.script = slow_after_ten
    command = [sys.executable, str(ROOT / "manage.py"), "replay"]
    process = subprocess.Popen(
        [*command, *arguments(trace, served.url), "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        # A suite that a shell runs in the background was told to ignore Ctrl-C; its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert reached.wait(30)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "allowed       10\n" in out
    assert "Interrupted" in error
