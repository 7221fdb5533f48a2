"""The first call: by curl and by the SDKs of both protocols. The key stands in a variable of the shell."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quota.tool_guides.parts import Guide, Kind, Protocol, Setup, Snippet, Step

HELLO = "Say hello in five words."


def body(setup: Setup) -> str:
    """Of both protocols, in JSON over two lines."""
    messages = json.dumps([{"role": "user", "content": HELLO}])
    return f'{{"model": "{setup.model}", "max_tokens": 200,\n       "messages": {messages}}}'


def curl_anthropic(setup: Setup) -> str:
    return f"""\
curl -sS '{setup.anthropic_url}/v1/messages' \\
  -H "x-api-key: $TOKENPLAN_KEY" -H "anthropic-version: 2023-06-01" \\
  -H "Content-Type: application/json" \\
  -d '{body(setup)}'"""


def curl_openai(setup: Setup) -> str:
    return f"""\
curl -sS '{setup.openai_url}/chat/completions' \\
  -H "Authorization: Bearer $TOKENPLAN_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{body(setup)}'"""


def python_anthropic(setup: Setup) -> str:
    return f"""\
import os

import anthropic

client = anthropic.Anthropic(
    base_url="{setup.anthropic_url}",
    api_key=os.environ["TOKENPLAN_KEY"],
)
message = client.messages.create(
    model="{setup.model}",
    max_tokens=200,
    messages=[{{"role": "user", "content": "{HELLO}"}}],
)
for block in message.content:
    if block.type == "text":
        print(block.text)"""


def python_openai(setup: Setup) -> str:
    return f"""\
import os

import openai

client = openai.OpenAI(
    base_url="{setup.openai_url}",
    api_key=os.environ["TOKENPLAN_KEY"],
)
answer = client.chat.completions.create(
    model="{setup.model}",
    max_tokens=200,
    messages=[{{"role": "user", "content": "{HELLO}"}}],
)
print(answer.choices[0].message.content)"""


def remains(setup: Setup) -> str:
    return f"""\
curl -sS '{setup.console_url}/v1/token_plan/remains' \\
  -H "Authorization: Bearer $TOKENPLAN_KEY\""""


def steps(setup: Setup) -> tuple[Step, ...]:
    curls = {
        Protocol.ANTHROPIC: Snippet("curl-anthropic", Kind.SHELL, curl_anthropic(setup)),
        Protocol.OPENAI: Snippet("curl-openai", Kind.SHELL, curl_openai(setup)),
    }
    return (
        Step(
            _("Put your key into a variable"),
            (_("The key was made with your account. Whoever has it uses your quota: keep it to yourself."),),
            (Snippet("key", Kind.SHELL, f"export TOKENPLAN_KEY='{setup.key}'"),),
        ),
        Step(
            _("Make the first call"),
            (_("Both protocols reach the same model; one is enough."),) if len(setup.protocols) > 1 else (),
            tuple(curls[protocol] for protocol in setup.protocols),
        ),
        Step(
            _("See it arrive"),
            (
                _(
                    "After a few seconds this turns green by itself, with the price of the call and its "
                    "receipt. The bar on your Home page has moved by the same amount."
                ),
            ),
            shows_use=True,
        ),
        *(_python(setup, protocol) for protocol in setup.protocols),
        Step(
            _("See what is left"),
            (_("What is left of both windows, in whole percent, for scripts and status lines."),),
            (Snippet("remains", Kind.SHELL, remains(setup)),),
        ),
    )


def _python(setup: Setup, protocol: Protocol) -> Step:
    if protocol == Protocol.ANTHROPIC:
        title, text = _("From Python, with Anthropic's SDK"), python_anthropic(setup)
    else:
        title, text = _("From Python, with OpenAI's SDK"), python_openai(setup)
    file = f"hello_{protocol}.py"
    return Step(
        title,
        (_("In the same terminal, since the variable is set there."),),
        (
            Snippet(f"install-{protocol}", Kind.INSTALL, f"pip install {protocol}"),
            Snippet(f"python-{protocol}", Kind.PYTHON, text, file=file),
            Snippet(f"run-{protocol}", Kind.SHELL, f"python {file}"),
        ),
    )


GUIDE = Guide("quickstart", gettext_lazy("Quickstart"), (Protocol.ANTHROPIC, Protocol.OPENAI), steps)
