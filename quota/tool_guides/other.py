"""Any other tool: four values, or two variables."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quota.tool_guides.parts import Guide, Kind, Protocol, Setup, Snippet, Step


def anthropic_step(setup: Setup) -> Step:
    return Step(
        _("A tool that speaks Anthropic's protocol"),
        (
            _(
                "The better choice where a tool offers both, since prompts are cached. The tool adds "
                "`/v1/messages` itself. Most read these variables; elsewhere enter the values below."
            ),
        ),
        (
            Snippet(
                "anthropic-env",
                Kind.SHELL,
                f"export ANTHROPIC_BASE_URL='{setup.anthropic_url}'\n"
                f"export ANTHROPIC_AUTH_TOKEN='{setup.key}'",
            ),
            Snippet("anthropic-url", Kind.VALUE, setup.anthropic_url, field=_("Base URL")),
        ),
    )


def openai_step(setup: Setup) -> Step:
    return Step(
        _("A tool that speaks OpenAI's protocol"),
        (
            _(
                "The tool adds `/chat/completions` itself. Most read these variables; elsewhere enter the "
                "values below."
            ),
        ),
        (
            Snippet(
                "openai-env",
                Kind.SHELL,
                f"export OPENAI_BASE_URL='{setup.openai_url}'\nexport OPENAI_API_KEY='{setup.key}'",
            ),
            Snippet("openai-url", Kind.VALUE, setup.openai_url, field=_("Base URL")),
        ),
    )


def steps(setup: Setup) -> tuple[Step, ...]:
    makers = {Protocol.ANTHROPIC: anthropic_step, Protocol.OPENAI: openai_step}
    return (
        Step(
            _("Key and model"),
            (
                _(
                    "For each tool that takes a base URL: Cherry Studio, Cline, Dify, Kilo Code, LangChain, "
                    "Open WebUI, OpenCode, OpenHands, Qwen Code, Zed and many others."
                ),
            ),
            (
                Snippet("key", Kind.VALUE, setup.key, field=_("Key")),
                Snippet("model", Kind.VALUE, setup.model, field=_("Model")),
            ),
        ),
        *(makers[protocol](setup) for protocol in setup.protocols),
        Step(
            _("Good to know"),
            (
                _(
                    "A tool that wants the header itself: its name is `Authorization`, its value "
                    "`Bearer` and the key."
                ),
                _(
                    "Xcode wants the URL without a path, so only a gateway at the root of its host "
                    "works there."
                ),
            ),
            note=True,
        ),
    )


GUIDE = Guide("other", gettext_lazy("Any other tool"), (Protocol.ANTHROPIC, Protocol.OPENAI), steps)
