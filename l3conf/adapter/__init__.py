"""The implementation's door: hooks run as processes, never imported, never asked to judge.

Must not hold anything about scenarios, labs or verdicts: it turns a verb and values into one process and its
JSON answer, and says exactly how that went wrong if it did. The contract for implementers is
``l3conf/spec/adapter-protocol.md``.
"""

from l3conf.adapter.hooks import HookCall, HookResult, HookRunner, HookUnavailable
from l3conf.adapter.requests import HookRequest

__all__ = ["HookCall", "HookRequest", "HookResult", "HookRunner", "HookUnavailable"]
