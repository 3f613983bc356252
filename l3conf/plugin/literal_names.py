"""Which names of clusters a scenario spells out, so that it means nothing where clusters have others. Pure."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def names_spelt_out(function: Callable[..., Any], parameters: Mapping[str, object]) -> frozenset[str]:
    """Return all texts in a function's code, in what it uses of its own module, and in its parameters."""
    return frozenset(_texts(list(parameters.values()))) | frozenset(_in_function(function, set()))


def _in_function(function: Callable[..., Any], seen: set[Callable[..., Any]]) -> Iterator[str]:
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    yield from _texts(list(function.__defaults__ or ()))
    for code in _codes(function.__code__):
        yield from _texts(list(code.co_consts))
        for used in (function.__globals__.get(name) for name in code.co_names):
            if isinstance(used, FunctionType) and used.__module__ == function.__module__:
                yield from _in_function(used, seen)
            else:
                yield from _texts([used])


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _texts(values: list[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list | set | frozenset):
            yield from _texts(list(value))
        elif isinstance(value, dict):
            yield from _texts([*value, *value.values()])
