"""LiteLLM with our package, as `make run WITH=litellm` sets it up, before a console of a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.helpers.serving import free_port, get, wait_for
from tests.helpers.small_gateway import CREDENTIAL
from tokenplan.management.commands.litellm import served_models
from tokenplan.runtime import litellm_proxy, programs
from tokenplan.runtime.folders import ROOT


@contextmanager
def litellm_gateway(console_url: str, folder: Path) -> Iterator[str]:
    """Its address. It asks this console with CREDENTIAL; a mock answers behind it. `folder` is its own."""
    port, mock_port = free_port(), free_port()
    mock = programs.litellm(port=port, mock_port=mock_port)[0].command
    upstream_url = f"http://127.0.0.1:{mock_port}"
    config = litellm_proxy.write_config(folder, models=served_models(), upstream_url=upstream_url)
    proxy = litellm_proxy.command(host="127.0.0.1", port=port, config=config)
    asks = litellm_proxy.variables(folder, console_url=console_url, credential=CREDENTIAL, upstream_key="")
    with ExitStack() as running:
        for command, environment in ((mock, None), (proxy, asks)):
            process = subprocess.Popen(command, cwd=ROOT, env=environment)
            running.callback(process.wait, 20)
            running.callback(process.terminate)
        wait_for(lambda: get(port, "/health/liveliness")[0] == 200, 120)
        yield f"http://127.0.0.1:{port}"
