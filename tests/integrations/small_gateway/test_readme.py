"""The call that the project's README shows works as it stands there."""

from __future__ import annotations

import re
import shlex

import httpx

from tests.helpers.small_gateway import only_event
from tokenplan.runtime.folders import ROOT


def test_the_call_of_the_projects_readme_is_answered_and_charged(gateway: str, key: str) -> None:
    shown = re.search(r"^curl .*/anthropic(?:.*\\\n)*.*$", (ROOT / "README.md").read_text(), re.M)
    assert shown
    words = shlex.split(shown[0].replace("$KEY", key).replace("http://127.0.0.1:8002", gateway))
    [address] = [word for word in words if word.startswith("http")]
    headers = dict(words[n + 1].split(": ") for n, word in enumerate(words) if word == "-H")
    answer = httpx.post(address, content=words[words.index("-d") + 1], headers=headers)
    assert answer.json()["content"][0]["text"].endswith("You wrote: Hello")
    assert only_event().usage["output_tokens"] == answer.json()["usage"]["output_tokens"]
