"""Holds objects and parameters against the SDK's own annotations, of the API version that it pins."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, Literal, NotRequired, Required, Union

import stripe
from stripe._list_object import ListObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._request_options import RequestOptions
from stripe._stripe_object import StripeObject, UntypedStripeObject

from tokenplan.local_stripe.http import params as readers
from tokenplan.local_stripe.http.params import Reader, Spec

SDK = Path(inspect.getfile(stripe)).parent
SCALARS: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    Decimal: (str,),
    bool: (bool,),
}


@cache
def imported_names(module: ModuleType) -> dict[str, tuple[str, str]]:
    """What a module imports for annotations only: name to module and name there."""
    tree = ast.parse(inspect.getsource(module))
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def named(name: str, module: ModuleType) -> Any:
    """What a name stands for in this module of the SDK, if only for annotations."""
    if hasattr(module, name):
        return getattr(module, name)
    if name in imported_names(module):
        place, original = imported_names(module)[name]
        return getattr(importlib.import_module(place), original)
    return eval(name, {"Literal": Literal, "Union": Union, **vars(typing), **vars(module)})


@cache
def fields_of(cls: type) -> dict[str, tuple[Any, ModuleType]]:
    """Field to its annotation, and the module where that is written."""
    found: dict[str, tuple[Any, ModuleType]] = {}
    for base in reversed(cls.__mro__):
        if base is StripeObject or not base.__module__.startswith("stripe"):
            continue
        module = importlib.import_module(base.__module__)
        for name, hint in vars(base).get("__annotations__", {}).items():
            if typing.get_origin(hint) is not typing.ClassVar and not name.startswith("_"):
                found[name] = (hint, module)
    return found


def class_of(kind: str) -> type:
    """The SDK's class of objects that call themselves so."""
    module, name = OBJECT_CLASSES[kind]
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def faults(value: Any, hint: Any, module: ModuleType, at: str) -> Iterator[str]:
    """What is wrong with a value that should be what an annotation says; nothing if it is."""
    if isinstance(hint, ForwardRef):
        hint = named(hint.__forward_arg__, module)
    if isinstance(hint, str):
        hint = named(hint, module)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return
    if origin in (Union, types.UnionType):
        yield from _faults_of_union(value, args, module, at)
    elif origin is ListObject or hint is ListObject:
        yield from _faults_of_list(value, args, module, at)
    elif origin in (list, UntypedStripeObject):
        yield from _faults_of_entries(value, origin, args, module, at)
    elif isinstance(hint, type) and issubclass(hint, StripeObject):
        yield from faults_of_object(value, hint, at)
    else:
        yield from _faults_of_scalar(value, hint, at)


def _faults_of_entries(
    value: Any, origin: Any, args: tuple[Any, ...], module: ModuleType, at: str
) -> Iterator[str]:
    """Of a plain list, or of an object whose keys are free."""
    expected, name = (list, "list") if origin is list else (dict, "object")
    if not isinstance(value, expected):
        yield f"{at}: {value!r} is no {name}"
    elif isinstance(value, list):
        for index, row in enumerate(value):
            yield from faults(row, args[0], module, f"{at}[{index}]")
    else:
        for key, row in value.items():
            yield from faults(row, args[0], module, f"{at}.{key}")


def _faults_of_scalar(value: Any, hint: Any, at: str) -> Iterator[str]:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            yield f"{at}: {value!r} is none of {typing.get_args(hint)}"
    elif hint is type(None):
        if value is not None:
            yield f"{at}: {value!r} is not null"
    elif hint not in SCALARS:
        yield f"{at}: the annotation {hint!r} is not understood"
    elif not isinstance(value, SCALARS[hint]) or (isinstance(value, bool) and hint is not bool):
        yield f"{at}: {value!r} is no {hint.__name__}"


def _faults_of_union(value: Any, args: tuple[Any, ...], module: ModuleType, at: str) -> Iterator[str]:
    """One of them must fit. Where words are listed beside `str`, it must be a listed one: the SDK lists what
    the version knows.
    """
    if any(typing.get_origin(arg) is Literal for arg in args):
        args = tuple(arg for arg in args if arg is not str)
    every = [list(faults(value, arg, module, at)) for arg in args]
    if all(every):
        yield from max(every, key=lambda found: max(map(len, found)))


def _faults_of_list(value: Any, args: tuple[Any, ...], module: ModuleType, at: str) -> Iterator[str]:
    if not isinstance(value, dict) or set(value) != {"object", "data", "has_more", "url"}:
        yield f"{at}: {value!r} is no list object"
        return
    for index, row in enumerate(value["data"]):
        yield from faults(row, args[0], module, f"{at}.data[{index}]")


def faults_of_object(value: Any, cls: type, at: str = "") -> Iterator[str]:
    """Unknown fields, missing ones, and those that are something else than they should be."""
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
        return
    known = fields_of(cls)
    for name in set(value) - set(known):
        yield f"{at}.{name}: unknown to {cls.__qualname__}"
    for name, (hint, module) in known.items():
        if name in value:
            yield from faults(value[name], hint, module, f"{at}.{name}")
        elif type(None) not in typing.get_args(hint) and not value.get("deleted"):
            yield f"{at}.{name}: missing"


def faults_of_answer(value: Mapping[str, Any], at: str = "") -> list[str]:
    """Of an object as the API gives it, or of a page of them."""
    if value["object"] == "list":
        return [fault for row in value["data"] for fault in faults_of_answer(row, at)]
    return list(faults_of_object(value, class_of(value["object"]), at or value["object"]))


@cache
def calls_of_the_sdk() -> dict[tuple[str, str], tuple[str, ModuleType]]:
    """Method and path, with {} for ids, to the name of the call's parameters and where that is known."""
    found: dict[tuple[str, str], tuple[str, ModuleType]] = {}
    for file in SDK.rglob("_*_service.py"):
        tree = ast.parse(file.read_text())
        module = importlib.import_module(".".join(["stripe", *file.relative_to(SDK).with_suffix("").parts]))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                request = _request_in(function)
                if request:
                    found.setdefault(request, (_params_of(function), module))
    return found


def _request_in(function: ast.FunctionDef) -> tuple[str, str] | None:
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "_request"
        ):
            method, path = node.args[0], node.args[1]
            if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
                path = path.func.value
            if isinstance(method, ast.Constant) and isinstance(path, ast.Constant):
                text = "".join(
                    "{}" if index % 2 else part for index, part in enumerate(_parts(str(path.value)))
                )
                return str(method.value).upper(), text.removeprefix("/v1")
    return None


def _parts(path: str) -> list[str]:
    """Text and names of `/v1/{text}` in turn."""
    return path.replace("}", "{").split("{")


def _params_of(function: ast.FunctionDef) -> str:
    for argument in function.args.posonlyargs + function.args.args:
        if argument.arg == "params" and argument.annotation:
            words = [node.value for node in ast.walk(argument.annotation) if isinstance(node, ast.Constant)]
            return next(str(word) for word in words if str(word).endswith("Params"))
    return ""


def faults_of_params(method: str, path: str, spec: Spec, required: tuple[str, ...]) -> Iterator[str]:
    """What a call takes that the SDK does not send, or sends as something else; and what must be there."""
    call = calls_of_the_sdk().get((method, path))
    at = f"{method} {path}"
    if call is None:
        yield f"{at}: the SDK has no such call"
        return
    name, module = call
    if not name:
        if spec:
            yield f"{at}: the SDK sends no parameters"
        return
    yield from _faults_of_spec(dict(spec), named(name, module), at)
    for field, hint in _entries(named(name, module)).items():
        if typing.get_origin(hint) is not NotRequired and field not in required:
            yield f"{at} {field}: the SDK always sends it, and the call does not want it"


def _entries(cls: Any) -> dict[str, Any]:
    module = importlib.import_module(cls.__module__)
    space = {**vars(typing), **vars(module), "StripeContext": object}
    hints = typing.get_type_hints(cls, globalns=space, include_extras=True)
    return {name: hint for name, hint in hints.items() if name not in RequestOptions.__annotations__}


def _faults_of_spec(spec: Mapping[str, Reader], cls: Any, at: str) -> Iterator[str]:
    known = _entries(cls)
    for name, reader in spec.items():
        if name not in known:
            yield f"{at} {name}: the SDK does not send it"
        else:
            yield from _faults_of_reader(reader, known[name], f"{at} {name}")


def _faults_of_reader(reader: Reader, hint: Any, at: str) -> Iterator[str]:
    """Whatever the reader takes, the SDK must be able to send."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (NotRequired, Required):
        yield from _faults_of_reader(reader, args[0], at)
        return
    options = args if origin in (Union, types.UnionType) else (hint,)
    words = {word for option in options for word in _words_of(option)}
    if words - {""}:  # `str` beside words stands for those of versions to come
        options = tuple(option for option in options if option is not str)
    if hasattr(reader, "readers"):
        for one in reader.readers:
            yield from _faults_of_reader(one, hint, at)
        return
    every = [list(_faults_of_option(reader, option, at)) for option in options]
    if all(every):
        yield from min(every, key=len)


def _words_of(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _faults_of_option(reader: Reader, hint: Any, at: str) -> Iterator[str]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(reader, dict):
        if isinstance(hint, type) and issubclass(hint, dict):
            yield from _faults_of_spec(reader, hint, at)
        else:
            yield f"{at}: {hint!r} is no object"
    elif isinstance(reader, list):
        if origin is list:
            yield from _faults_of_reader(reader[0], args[0], at)
        else:
            yield f"{at}: {hint!r} is no list"
    elif hasattr(reader, "words"):
        if origin is not Literal and hint is not str:
            yield f"{at}: {hint!r} is no word"
        elif origin is Literal and not set(reader.words) <= set(args):
            yield f"{at}: {set(reader.words) - set(args)} are none of the SDK's words"
    else:
        fits: dict[Any, tuple[Any, ...]] = {
            readers.text: (str,),
            readers.url: (str,),
            readers.integer: (int,),
            readers.moment: (int,),
            readers.decimal: (float, Decimal),
            readers.flag: (bool,),
            readers.mapping: (dict,),
        }
        if hint not in fits[reader] and origin not in fits[reader]:
            yield f"{at}: {hint!r} is not what {getattr(reader, '__name__', reader)} reads"
