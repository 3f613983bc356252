"""``python -m reference_impl.hooks <verb>``: JSON in, JSON out, progress on standard error, 127 for "cannot"."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys

VERBS = ("deploy", "join", "leave", "rotate", "revoke", "remove", "gather")
_CANNOT = 127


def main(arguments: list[str]) -> int:
    """Run one hook."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        sys.stderr.write(f"this implementation has no such hook; it has {', '.join(VERBS)}\n")
        return _CANNOT
    from reference_impl.drivers.api import APIError  # noqa: PLC0415 - "cannot" is answered without any of this
    from reference_impl.hooks.request import HookError, parse_request  # noqa: PLC0415 - likewise

    hook = getattr(importlib.import_module(f"reference_impl.hooks.{arguments[0]}"), arguments[0])
    try:
        answer = asyncio.run(hook(parse_request(sys.stdin.read())))
    except (HookError, APIError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
