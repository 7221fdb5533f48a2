"""Cursor, which speaks OpenAI's protocol, from its own servers."""

from __future__ import annotations

from django.utils.translation import gettext as _

from quota.tool_guides.parts import Guide, Kind, Protocol, Setup, Snippet, Step


def _not_here(setup: Setup) -> tuple[str, ...]:
    """What a laptop's own gateway cannot do is said before somebody tries."""
    if setup.openai_url.startswith("https://"):
        return ()
    return (_("`%(url)s` is not such an address: Cursor cannot reach it.") % {"url": setup.openai_url},)


def steps(setup: Setup) -> tuple[Step, ...]:
    return (
        Step(
            _("Before you begin"),
            (
                _(
                    "Cursor takes models of others in its paid plans only; else it says that the model does "
                    "not work with your current plan or API key."
                ),
                _(
                    "Cursor's servers make the calls, not your machine. So the base URL must be reachable "
                    "from the internet by https: an address on this machine, in the office or behind "
                    "a VPN does not work."
                ),
                *_not_here(setup),
            ),
            note=True,
        ),
        Step(
            _("Enter key and base URL"),
            (
                _(
                    "In Cursor Settings, Models, API Keys: switch on *OpenAI API Key* and *Override OpenAI "
                    "Base URL*, enter both, and press *Verify*."
                ),
            ),
            (
                Snippet("key", Kind.VALUE, setup.key, field="OpenAI API Key"),
                Snippet("url", Kind.VALUE, setup.openai_url, field="Override OpenAI Base URL"),
            ),
        ),
        Step(
            _("Add the model"),
            (
                _(
                    "Under *View All Models*, *Add Custom Model*: this name, letter by letter. Switch it on, "
                    "and choose it in the chat."
                ),
            ),
            (Snippet("model", Kind.VALUE, setup.model, field="Add Custom Model"),),
        ),
        Step(
            _("Good to know"),
            (
                _(
                    "The base URL is for all of Cursor: its own OpenAI and Claude models are sent there too. "
                    "Switch the override off to use them again. Tab completion never uses it."
                ),
                _("Ask and Plan work with a key of your own; Agent, where your version of Cursor allows it."),
                _(
                    "If no answer comes at all, switch on the HTTP/1.1 compatibility mode under Network, and "
                    "clear `OPENAI_API_KEY` and `OPENAI_BASE_URL` in your shell."
                ),
                _(
                    "On Cursor's Teams and Enterprise plans, Cursor charges its own token rate on "
                    "some models."
                ),
            ),
            note=True,
        ),
    )


GUIDE = Guide("cursor", "Cursor", (Protocol.OPENAI,), steps)
