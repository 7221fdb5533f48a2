"""New objects. Most fields of Stripe's objects are the same in every new one, and many are never anything but
null here; `blank_objects.json` has them, kind by kind, so that code names only the fields that matter.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenplan.local_stripe.objects.errors import Object

BLANK_OBJECTS: dict[str, Object] = json.loads(Path(__file__).with_name("blank_objects.json").read_text())


def blank(kind: str, **fields: Any) -> Object:
    """A new object of this kind with these fields. Of a field that is an object in the blank one, only what
    is given is replaced. Raises KeyError for an unknown kind.
    """
    return _merged(copy.deepcopy(BLANK_OBJECTS[kind]), fields)


def _merged(base: Object, fields: Mapping[str, Any]) -> Object:
    for name, value in fields.items():
        if isinstance(base.get(name), dict) and isinstance(value, Mapping):
            _merged(base[name], value)
        else:
            base[name] = value
    return base
