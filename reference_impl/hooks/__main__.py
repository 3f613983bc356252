"""``python -m reference_impl.hooks <verb>``: JSON in, JSON out, progress on standard error, 127 for "cannot"."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys

VERBS = ("deploy", "join", "leave", "rotate", "revoke", "upgrade", "remove", "gather")
_CANNOT = 127


def main(arguments: list[str]) -> int:
    """Run one hook."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        sys.stderr.write(f"this implementation has no such hook; it has {', '.join(VERBS)}\n")
        return _CANNOT
    from reference_impl.drivers.api import APIError  # noqa: PLC0415 - "cannot" is answered without any of this
    from reference_impl.hooks.earlier import asks_for_another, call  # noqa: PLC0415 - likewise
    from reference_impl.hooks.request import HookError, parse_request  # noqa: PLC0415 - likewise
    from reference_impl.version import VERSION  # noqa: PLC0415 - likewise

    gc.disable()  # nothing that a hook makes is worth looking through for garbage before it ends
    verb, text = arguments[0], sys.stdin.read()
    another = asks_for_another(text, VERSION)
    try:
        if another and verb != "upgrade":
            answer = call(another, verb, text)
        else:
            hook = getattr(importlib.import_module(f"reference_impl.hooks.{verb}"), verb)
            answer = asyncio.run(hook(parse_request(text)))
    except (HookError, APIError) as error:
        sys.stderr.write(f"{verb}: {error}\n")
        return 1
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
