"""TRAE, by a custom model of either protocol."""

from __future__ import annotations

from django.utils.translation import gettext as _

from quota.tool_guides.parts import Guide, Kind, Protocol, Setup, Snippet, Step

FORMATS = {Protocol.ANTHROPIC: "Anthropic Messages", Protocol.OPENAI: "OpenAI Chat Completions"}


def steps(setup: Setup) -> tuple[Step, ...]:
    protocol = setup.protocols[0]
    return (
        Step(
            _("Install TRAE"),
            (
                _(
                    "From trae.ai, or trae.cn in China, and sign in. It needs a version that takes a URL of "
                    "yours; those of 2025 could only use the providers on their list."
                ),
            ),
        ),
        Step(
            _("Add a model"),
            (
                _(
                    "In the chat panel: the gear, *Models*, *Add Model*, *Custom Config*. Leave *Full URL* "
                    "off, since TRAE adds the rest of the address. Switch *Multimodal* on if the model takes "
                    "images."
                ),
            ),
            (
                Snippet("format", Kind.VALUE, FORMATS[protocol], field="API Format"),
                Snippet("url", Kind.VALUE, setup.url(protocol), field="Custom Request URL"),
                Snippet("model", Kind.VALUE, setup.model, field="Model ID"),
                Snippet("key", Kind.VALUE, setup.key, field="API Key"),
            ),
        ),
        Step(
            _("Submit"),
            (
                _(
                    "TRAE tests the key with a call and shows what it was answered. So a key without a plan "
                    "or Credits is refused here, with one of the messages below."
                ),
            ),
        ),
        Step(
            _("Good to know"),
            (_("The providers on TRAE's own list call their own hosts, where your key is not known."),),
            note=True,
        ),
    )


GUIDE = Guide("trae", "TRAE", (Protocol.ANTHROPIC, Protocol.OPENAI), steps)
