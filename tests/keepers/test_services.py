"""What every service of a floor has in common."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

MOMENT_AND_ACTOR = {"at", "by"}


def services(app: str) -> Iterator[Callable[..., Any]]:
    """The public functions of `<app>/services`."""
    package = importlib.import_module(f"{app}.services")
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                yield function


@pytest.mark.parametrize("app", ["teams", "quota", "billing"])
def test_a_service_that_gets_the_moment_or_the_actor_gets_everything_by_keyword(app: str) -> None:
    services_of_app = [
        one for one in services(app) if MOMENT_AND_ACTOR & inspect.signature(one).parameters.keys()
    ]
    assert services_of_app
    positional = [
        f"{service.__module__}.{service.__name__}: {parameter.name}"
        for service in services_of_app
        for parameter in inspect.signature(service).parameters.values()
        if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
    ]
    assert positional == []
