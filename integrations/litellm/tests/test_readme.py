"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

HERE = Path(__file__).parents[1]
README = (HERE / "README.md").read_text()


def source(name: str) -> str:
    return (HERE / "tokenplan_litellm" / f"{name}.py").read_text()


def test_every_setting_is_explained_and_no_other() -> None:
    read = set(re.findall(r'"(TOKENPLAN_[A-Z_]+)"', source("settings")))
    explained = set(re.findall(r"^\| `(TOKENPLAN_[A-Z_]+)` \|", README, re.MULTILINE))
    assert explained == read


def test_every_address_that_is_served_is_named() -> None:
    served = set(re.findall(r'"(/v1/[a-z_/]+)"', source("proxy")))
    assert len(served) == 9
    for address in served - {"/v1/messages/count_tokens"}:
        assert f"`{address}`" in README
    assert "`count_tokens`" in README


def test_the_configuration_names_what_there_is() -> None:
    config = yaml.safe_load(re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1])  # type: ignore[index]
    names = [config["general_settings"]["custom_auth"], *config["litellm_settings"]["callbacks"]]
    for name in names:
        module, _, thing = name.removeprefix("tokenplan_litellm.").partition(".")
        assert re.search(
            rf"^(plan = |async def ){'' if thing == 'plan' else thing}", source(module), re.MULTILINE
        )


def test_the_version_that_is_tested_is_named() -> None:
    pinned = re.search(
        r"^litellm\[proxy\]==(\S+)", (HERE / "tests/requirements.in").read_text(), re.MULTILINE
    )
    assert pinned
    assert f"LiteLLM {pinned[1]}" in README
