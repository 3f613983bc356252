"""Which remembered UDP flows may no longer lead where the Services say. Pure.

As kube-proxy does when endpoints come and go: TCP notices by itself, UDP would follow its old translation, or the
lack of one, for as long as its sender goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from l3conf.emulator.kernel.flows import Backends, Endpoint
    from l3conf.emulator.proxy.service_ports import ServicePort


def udp_backends(ports: Iterable[ServicePort]) -> Backends:
    """Return who may answer at each UDP address that is served. Of two Services with one address the first wins."""
    backends: dict[Endpoint, AbstractSet[Endpoint]] = {}
    for port in ports:
        if port.protocol == "udp":
            answering = frozenset((backend.address, backend.port) for backend in port.backends)
            for address in (port.cluster_ip, *port.external_ips):
                backends.setdefault((address, port.port), answering)
    return backends


def may_be_stale(before: Backends, after: Backends) -> bool:
    """Tell whether a flow that was right under ``before`` can be wrong under ``after``.

    It can where an address is newly served, had no backend and has one, or lost one. It cannot where only backends
    were added; and flows to an address that is served no more are left alone.
    """
    return any(key not in before or (not before[key] and now) or before[key] - now for key, now in after.items())
