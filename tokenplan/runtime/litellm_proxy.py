"""How LiteLLM stands before this console with our package: its command, its settings and its environment.

It is installed in an environment of its own, which `make run WITH=litellm` builds: it has a hundred packages
that the console never imports.
"""

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from tokenplan.runtime.folders import ROOT, private_folder

ENVIRONMENT = ROOT / "var" / "litellm"
PACKAGE = ROOT / "integrations" / "litellm"
# What it needs of ours. The console's own variables, such as DATABASE_URL, mean something else to LiteLLM.
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "NO_PROXY",
)


def installed() -> bool:
    """Whether `make run WITH=litellm` has built its environment."""
    return (ENVIRONMENT / "bin" / "litellm").exists()


def command(*, host: str, port: int, config: Path) -> list[str]:
    """What `manage.py litellm` becomes."""
    program = [str(ENVIRONMENT / "bin" / "litellm"), "--config", str(config)]
    return [*program, "--host", host, "--port", str(port)]


def write_config(folder: Path, *, models: Iterable[tuple[str, str]], upstream_url: str) -> Path:
    """Writes its settings into the folder, made if missing. JSON, which is YAML too.

    `models` are the names that callers use, each with the upstream's name of the model.
    """
    parameters = {"api_base": f"{upstream_url}/v1", "api_key": "os.environ/UPSTREAM_KEY"}
    content = {
        "general_settings": {"custom_auth": "tokenplan_litellm.proxy.user_api_key_auth"},
        "litellm_settings": {
            "callbacks": ["tokenplan_litellm.proxy.plan"],
            "global_disable_no_log_param": True,
            "drop_params": True,
        },
        "router_settings": {"disable_cooldowns": True},
        "model_list": [
            {"model_name": name, "litellm_params": {"model": f"openai/{model}", **parameters}}
            for name, model in models
        ],
    }
    file = private_folder(folder) / "config.yaml"
    file.write_text(json.dumps(content, indent=2))
    return file


def variables(folder: Path, *, console_url: str, credential: str, upstream_key: str) -> dict[str, str]:
    """The whole environment of its process. Charges that wait for the console are kept in the folder."""
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "PYTHONPATH": str(PACKAGE),
        # Nobody needs it: our package shuts the addresses that it opens. LiteLLM does not start without one.
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TOKENPLAN_URL": console_url,
        "TOKENPLAN_GATEWAY_KEY": credential,
        "TOKENPLAN_OUTBOX": str(folder / "outbox.sqlite3"),
        "UPSTREAM_KEY": upstream_key or "none",
    }
