"""Which remembered UDP flows no longer lead where the Services say. Pure.

As kube-proxy does when endpoints come and go: TCP notices by itself, UDP would follow its old translation, or the
lack of one, for as long as its sender goes on.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.emulator.kernel.flows import Flow
    from l3conf.emulator.proxy.service_ports import ServicePort
    from l3conf.model.topology import IPAddress


def stale_flows(ports: Iterable[ServicePort]) -> Callable[[Flow], bool]:
    """Return what tells a flow to a served address that none of its backends answers."""
    backends: dict[tuple[IPAddress, int], set[tuple[IPAddress, int]]] = {}
    for port in ports:
        if port.protocol == "udp":
            answering = {(backend.address, backend.port) for backend in port.backends}
            for address in (port.cluster_ip, *port.external_ips):
                backends[address, port.port] = answering

    def is_stale(flow: Flow) -> bool:
        if flow.protocol != socket.IPPROTO_UDP:
            return False
        answering = backends.get((flow.destination, flow.destination_port))
        return answering is not None and (flow.answered_by, flow.answered_by_port) not in answering

    return is_stale
