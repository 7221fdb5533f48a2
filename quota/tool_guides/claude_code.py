"""Claude Code, which speaks Anthropic's protocol."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from quota.tool_guides.parts import CONTEXT_LENGTHS, Guide, Kind, Protocol, Setup, Snippet, Step


def settings_json(setup: Setup) -> str:
    """All four names of a model: what runs in the background asks for the small one. Claude Code takes a
    model that it does not know for one of a million tokens of context, so its length is there where known.
    """
    env = {
        "ANTHROPIC_BASE_URL": setup.anthropic_url,
        "ANTHROPIC_AUTH_TOKEN": setup.key,
        "API_TIMEOUT_MS": "3000000",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "ANTHROPIC_MODEL": setup.model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": setup.model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": setup.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": setup.model,
    }
    if setup.model in CONTEXT_LENGTHS:
        env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] = str(CONTEXT_LENGTHS[setup.model])
    return json.dumps({"env": env}, indent=2, ensure_ascii=False)


def steps(setup: Setup) -> tuple[Step, ...]:
    return (
        Step(
            _("Install Claude Code"),
            (_("It needs Node.js. Leave this out if `claude` runs already."),),
            (Snippet("install", Kind.INSTALL, "npm install -g @anthropic-ai/claude-code"),),
        ),
        Step(
            _("Clear earlier settings"),
            (
                _(
                    "Variables of the shell win over the settings file. Also remove these three from "
                    "`~/.bashrc` or `~/.zshrc`, if they stand there."
                ),
            ),
            (
                Snippet(
                    "clear",
                    Kind.SHELL,
                    "unset ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL ANTHROPIC_API_KEY",
                ),
            ),
        ),
        Step(
            _("Write the settings"),
            (
                _(
                    "If the file is there already, put these lines into its `env`. On Windows it is "
                    "`%USERPROFILE%\\.claude\\settings.json`. Use this file and not the project's: "
                    "that one is committed, and your key with it."
                ),
            ),
            (Snippet("settings", Kind.FILE, settings_json(setup), file="~/.claude/settings.json"),),
        ),
        Step(
            _("Skip the first sign-in"),
            (
                _(
                    "Otherwise the first start asks for an account with Claude. If the file is there "
                    "already, add this one line to it."
                ),
            ),
            (
                Snippet(
                    "onboarding", Kind.FILE, '{\n  "hasCompletedOnboarding": true\n}', file="~/.claude.json"
                ),
            ),
        ),
        Step(
            _("Try it"),
            (
                _(
                    "Or start `claude` in a project and choose *Trust this folder*. There `/status` "
                    "shows the base URL, and `/model` the model."
                ),
            ),
            (Snippet("try", Kind.SHELL, 'claude -p "say hello"'),),
        ),
        Step(
            _("Good to know"),
            (
                _(
                    "At the limit Claude Code shows our message as it is. It waits by itself if room comes "
                    "within a minute, and stops otherwise."
                ),
                _(
                    "In VS Code, set `claude-code.selectedModel` to `%(model)s`. "
                    "cc-switch is a program with windows that writes the same settings file."
                )
                % {"model": setup.model},
                _(
                    "The search for MCP tools is off with a base URL that is not Anthropic's; "
                    "`ENABLE_TOOL_SEARCH=true` turns it on."
                ),
            ),
            note=True,
        ),
    )


GUIDE = Guide("claude-code", "Claude Code", (Protocol.ANTHROPIC,), steps)
