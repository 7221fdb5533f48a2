"""OpenClaw, by a custom provider that speaks Anthropic's protocol."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from quota.tool_guides.parts import CONTEXT_LENGTHS, Guide, Kind, Protocol, Setup, Snippet, Step

# OpenClaw's names of what a rate card has prices for.
COSTS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cacheRead",
    "cache_write_tokens": "cacheWrite",
}


def onboard(setup: Setup) -> str:
    return f"""\
export CUSTOM_API_KEY='{setup.key}'
openclaw onboard --non-interactive --accept-risk --mode local \\
  --auth-choice custom-api-key --custom-base-url '{setup.anthropic_url}' \\
  --custom-model-id '{setup.model}' --custom-provider-id tokenplan \\
  --custom-compatibility anthropic \\
  --skip-health --skip-skills --skip-channels --no-install-daemon \\
  --gateway-port 18789 --gateway-bind loopback"""


def config(setup: Setup) -> str:
    """`openclaw.json`. Amounts are written as they stand on the rate card, which JSON has as numbers."""
    model = {"id": setup.model, "name": setup.model, "input": ["text"]}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in model.items()]
    costs = ", ".join(f'"{COSTS[meter]}": {usd}' for meter, usd in setup.costs if meter in COSTS)
    if costs:
        lines.append(f'"cost": {{{costs}}}')
    if setup.model in CONTEXT_LENGTHS:
        lines.append(f'"contextWindow": {CONTEXT_LENGTHS[setup.model]}')
    of_model = ",\n        ".join(lines)
    return f"""\
{{
  "agents": {{"defaults": {{"model": {{"primary": "tokenplan/{setup.model}"}}}}}},
  "models": {{
    "mode": "merge",
    "providers": {{"tokenplan": {{
      "baseUrl": "{setup.anthropic_url}",
      "apiKey": "${{TOKENPLAN_KEY}}",
      "api": "anthropic-messages",
      "models": [{{
        {of_model}
      }}]
    }}}}
  }}
}}"""


def steps(setup: Setup) -> tuple[Step, ...]:
    return (
        Step(
            _("Install OpenClaw"),
            (_("On Windows, `https://openclaw.ai/install.ps1` is the script for PowerShell."),),
            (Snippet("install", Kind.INSTALL, "curl -fsSL https://openclaw.ai/install.sh | bash"),),
        ),
        Step(
            _("Add Token Plan as a provider"),
            (
                _(
                    "Take a custom provider, as here. The built-in ones, MiniMax's too, always call "
                    "their own hosts, where your key is not known."
                ),
            ),
            (Snippet("onboard", Kind.SHELL, onboard(setup)),),
        ),
        Step(
            _("Try it"),
            (_("After that, `openclaw tui` is the chat in your terminal."),),
            (
                Snippet("list", Kind.SHELL, "openclaw models list --provider tokenplan"),
                Snippet("choose", Kind.SHELL, f"openclaw models set 'tokenplan/{setup.model}'"),
                Snippet("try", Kind.SHELL, 'openclaw agent --local --agent main --message "say hello"'),
            ),
        ),
        Step(
            _("Or write the files yourself"),
            (
                _(
                    "In place of the second step. The key stands in a file of its own. `cost` is only what "
                    "OpenClaw shows; what counts is the receipt here."
                ),
            ),
            (
                Snippet("env", Kind.FILE, f"TOKENPLAN_KEY={setup.key}", file="~/.openclaw/.env"),
                Snippet("config", Kind.FILE, config(setup), file="~/.openclaw/openclaw.json"),
            ),
            instead=True,
        ),
        Step(
            _("Good to know"),
            (
                _(
                    "This is for chats. Images, speech, music and video of OpenClaw's own MiniMax plug-in go "
                    "to the host in `MINIMAX_API_HOST`, whatever stands here."
                ),
                _("If `agents.defaults.models` is set, it lists all models that are allowed: add this one."),
                _("At the limit OpenClaw goes on with the next key or model that you have set up, if any."),
            ),
            note=True,
        ),
    )


GUIDE = Guide("openclaw", "OpenClaw", (Protocol.ANTHROPIC,), steps)
