"""Every guide: its base URL, model and key are filled in, and what is copied can be read by what reads it."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from quota.tool_guides.catalog import GUIDES, TOOLS
from quota.tool_guides.parts import NO_KEY, Guide, Kind, Protocol, Setup, Snippet

SETUP = Setup(
    anthropic_url="https://gateway.example/anthropic",
    openai_url="https://gateway.example/v1",
    console_url="https://console.example",
    model="MiniMax-M2.7",
    key="sk-cp-" + "k" * 58,
    costs=(("input_tokens", "0.30"), ("output_tokens", "1.20"), ("cache_write_tokens", "0.375")),
)
EVERY = [(guide.slug, snippet) for guide in GUIDES.values() for snippet in guide.snippets(SETUP)]
ids = [f"{slug}-{snippet.name}" for slug, snippet in EVERY]


def test_the_guides_are_those_of_the_product() -> None:
    assert list(TOOLS) == ["claude-code", "openclaw", "cursor", "trae", "hermes-agent", "other"]
    assert list(GUIDES) == [*TOOLS, "quickstart"]


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_base_url_model_and_key_are_filled_in(guide: Guide) -> None:
    text = "\n".join(snippet.text for snippet in guide.snippets(SETUP))

    assert any(SETUP.url(protocol) in text for protocol in guide.protocols)
    assert SETUP.model in text
    assert SETUP.key in text
    assert NO_KEY not in text


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
@pytest.mark.parametrize("missing", Protocol)
def test_what_is_not_set_stands_nowhere(guide: Guide, missing: Protocol) -> None:
    kept = Setup(
        anthropic_url="" if missing == Protocol.ANTHROPIC else SETUP.anthropic_url,
        openai_url="" if missing == Protocol.OPENAI else SETUP.openai_url,
        console_url=SETUP.console_url,
        model=SETUP.model,
    )
    if not guide.is_available(kept):
        assert guide.protocols == (missing,)
        return

    for snippet in guide.snippets(kept):
        assert SETUP.url(missing) not in snippet.text
        assert not snippet.text.startswith("/")
        assert "''" not in snippet.text
        assert '""' not in snippet.text


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_each_snippet_of_a_guide_has_a_name_of_its_own(guide: Guide) -> None:
    names = [snippet.name for snippet in guide.snippets(SETUP)]
    assert len(names) == len(set(names))
    assert all(names)


@pytest.mark.parametrize(("slug", "snippet"), EVERY, ids=ids)
def test_what_is_copied_can_be_read(slug: str, snippet: Snippet) -> None:
    if snippet.kind in (Kind.INSTALL, Kind.SHELL):
        subprocess.run(["bash", "-n", "-c", snippet.text], check=True, timeout=20)
    elif snippet.kind == Kind.PYTHON:
        compile(snippet.text, snippet.file, "exec")
    elif snippet.file.endswith(".json"):
        assert json.loads(snippet.text)
    elif snippet.file.endswith(".yaml"):
        assert yaml.safe_load(snippet.text)
    elif snippet.file:
        assert snippet.text == f"TOKENPLAN_KEY={SETUP.key}"
    else:
        assert snippet.kind == Kind.VALUE
        assert snippet.text == snippet.text.strip() != ""
        assert snippet.field


def snippet_of(slug: str, name: str) -> Snippet:
    return next(row for row in GUIDES[slug].snippets(SETUP) if row.name == name)


def test_claude_code_asks_for_no_model_but_ours() -> None:
    snippet = snippet_of("claude-code", "settings")

    assert snippet.file == "~/.claude/settings.json"
    assert json.loads(snippet.text) == {
        "env": {
            "ANTHROPIC_BASE_URL": "https://gateway.example/anthropic",
            "ANTHROPIC_AUTH_TOKEN": SETUP.key,
            "API_TIMEOUT_MS": "3000000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_MODEL": "MiniMax-M2.7",
            "ANTHROPIC_DEFAULT_OPUS_MODEL": "MiniMax-M2.7",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "MiniMax-M2.7",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "MiniMax-M2.7",
            "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "204800",
        }
    }


def test_openclaw_gets_a_provider_of_its_own_with_the_prices_of_the_rate_card() -> None:
    config = json.loads(snippet_of("openclaw", "config").text)

    assert config["agents"]["defaults"]["model"] == {"primary": "tokenplan/MiniMax-M2.7"}
    assert config["models"]["providers"]["tokenplan"] == {
        "baseUrl": "https://gateway.example/anthropic",
        "apiKey": "${TOKENPLAN_KEY}",
        "api": "anthropic-messages",
        "models": [
            {
                "id": "MiniMax-M2.7",
                "name": "MiniMax-M2.7",
                "input": ["text"],
                "cost": {"input": 0.3, "output": 1.2, "cacheWrite": 0.375},
                "contextWindow": 204_800,
            }
        ],
    }
    assert "--custom-base-url 'https://gateway.example/anthropic'" in snippet_of("openclaw", "onboard").text


def test_hermes_agent_gets_a_provider_of_its_own() -> None:
    assert yaml.safe_load(snippet_of("hermes-agent", "config").text) == {
        "model": {"default": "MiniMax-M2.7", "provider": "custom:tokenplan"},
        # Else it waits twice for ten minutes before it says that a window is full.
        "agent": {"api_max_retries": 1},
        "custom_providers": [
            {
                "name": "tokenplan",
                "base_url": "https://gateway.example/anthropic",
                "key_env": "TOKENPLAN_KEY",
                "api_mode": "anthropic_messages",
                "models": {"MiniMax-M2.7": {"context_length": 204_800}},
            }
        ],
    }


def test_a_model_that_nobody_has_described_leaves_the_tools_their_defaults() -> None:
    other = Setup(SETUP.anthropic_url, SETUP.openai_url, SETUP.console_url, "new-model")
    hermes = next(row for row in GUIDES["hermes-agent"].snippets(other) if row.name == "config")
    openclaw = next(row for row in GUIDES["openclaw"].snippets(other) if row.name == "config")

    claude = next(row for row in GUIDES["claude-code"].snippets(other) if row.name == "settings")
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in json.loads(claude.text)["env"]
    assert "models" not in yaml.safe_load(hermes.text)["custom_providers"][0]
    model = json.loads(openclaw.text)["models"]["providers"]["tokenplan"]["models"][0]
    assert model == {"id": "new-model", "name": "new-model", "input": ["text"]}


@pytest.mark.parametrize(
    ("anthropic", "openai", "api_format", "url"),
    [
        (SETUP.anthropic_url, SETUP.openai_url, "Anthropic Messages", SETUP.anthropic_url),
        ("", SETUP.openai_url, "OpenAI Chat Completions", SETUP.openai_url),
    ],
)
def test_trae_takes_the_protocol_that_is_there(
    anthropic: str, openai: str, api_format: str, url: str
) -> None:
    setup = Setup(anthropic, openai, SETUP.console_url, SETUP.model)
    values = {row.field: row.text for row in GUIDES["trae"].snippets(setup)}

    assert (values["API Format"], values["Custom Request URL"]) == (api_format, url)


def test_the_guide_of_cursor_says_where_its_servers_cannot_reach_the_gateway() -> None:
    there = [text for step in GUIDES["cursor"].steps(SETUP) for text in step.text]
    laptop = Setup("", "http://127.0.0.1:8002/v1", SETUP.console_url, SETUP.model)
    here = [text for step in GUIDES["cursor"].steps(laptop) for text in step.text]

    assert not any("cannot reach it" in text for text in there)
    assert "`http://127.0.0.1:8002/v1` is not such an address: Cursor cannot reach it." in here
