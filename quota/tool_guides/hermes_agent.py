"""Hermes Agent, by a custom provider of either protocol."""

from __future__ import annotations

from django.utils.translation import gettext as _

from quota.tool_guides.parts import CONTEXT_LENGTHS, Guide, Kind, Protocol, Setup, Snippet, Step

MODES = {Protocol.ANTHROPIC: "anthropic_messages", Protocol.OPENAI: "chat_completions"}
INSTALLER = "https://raw.githubusercontent.com/NousResearch/hermes-agent/main/scripts/install.sh"


def config(setup: Setup) -> str:
    protocol = setup.protocols[0]
    length = CONTEXT_LENGTHS.get(setup.model)
    models = f"\n    models:\n      {setup.model}:\n        context_length: {length}" if length else ""
    return f"""\
model:
  default: {setup.model}
  provider: custom:tokenplan
agent:
  api_max_retries: 1
custom_providers:
  - name: tokenplan
    base_url: {setup.url(protocol)}
    key_env: TOKENPLAN_KEY
    api_mode: {MODES[protocol]}{models}"""


def steps(setup: Setup) -> tuple[Step, ...]:
    return (
        Step(
            _("Install Hermes Agent"),
            (
                _(
                    "On macOS, Linux or WSL2. Open a new terminal afterwards; `hermes doctor` says whether "
                    "something is missing."
                ),
            ),
            (Snippet("install", Kind.INSTALL, f"curl -fsSL {INSTALLER} | bash"),),
        ),
        Step(
            _("Write down the key"),
            (_("Add this line to the file; make the file if it is not there."),),
            (Snippet("env", Kind.FILE, f"TOKENPLAN_KEY={setup.key}", file="~/.hermes/.env"),),
        ),
        Step(
            _("Add Token Plan as a provider"),
            (
                _(
                    "In place of the parts `model` and `agent` of the file, and beside other providers. "
                    "`hermes config check` reads it again. Or enter the same by hand: `hermes model`, "
                    "*Custom endpoint*."
                ),
                _(
                    "With one try, Hermes Agent says at once when a window is full. With three, as it comes, "
                    "it waits twice for ten minutes before it says so."
                ),
            ),
            (Snippet("config", Kind.FILE, config(setup), file="~/.hermes/config.yaml"),),
        ),
        Step(
            _("Try it"),
            (
                _(
                    "`hermes` alone is the chat; in it, `/model custom:tokenplan:%(model)s` chooses "
                    "this model."
                )
                % {"model": setup.model},
            ),
            (Snippet("try", Kind.SHELL, 'hermes -z "say hello"'),),
        ),
        Step(
            _("Good to know"),
            (
                _(
                    "`OPENAI_BASE_URL` and `LLM_MODEL` in `~/.hermes/.env` are not read any more: "
                    "`config.yaml` alone counts."
                ),
                _(
                    "Images and summaries are made by other models unless you set them under `auxiliary`: "
                    "those calls do not come here."
                ),
            ),
            note=True,
        ),
    )


GUIDE = Guide("hermes-agent", "Hermes Agent", (Protocol.ANTHROPIC, Protocol.OPENAI), steps)
