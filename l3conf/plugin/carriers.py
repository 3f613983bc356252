"""What carries packets between clusters: links that came with the implementation, and what they add."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.expectations.technologies import RECOGNISED
from l3conf.plugin import cables
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.knowledge import MutualKnowledge
from l3conf.plugin.tunnel_rules import MAY_OMIT_CHECKSUMS, overhead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.expectations import Node, Pod
    from l3conf.model.topology import IPFamily
    from l3conf.plugin.cluster_api import Object


@dataclass(slots=True, repr=False)
class Carriers(MutualKnowledge):
    """A lab whose cables can be found and taken away."""

    def cable_overhead(self, family: IPFamily) -> int:
        """Return the bytes that the cable drivers which the Endpoints name may add to a packet."""
        return max(overhead(backend, family) for backend in {spec.get("backend", "") for spec in self._endpoints()})

    @property
    def ports_without_checksum(self) -> frozenset[int]:
        """Ports of tunnels whose specification lets their datagrams go without checksum over IPv6."""
        return frozenset(
            int(spec.get("backend_config", {}).get("udp-port", 4500))
            for spec in self._endpoints()
            if spec.get("backend") in MAY_OMIT_CHECKSUMS
        )

    def named_drivers(self, count: int) -> list[str]:
        """Return the first cable drivers of the implementation's list, whose packets the suite tells apart.

        Skips the test if there are fewer: what carried a packet could not be seen.
        """
        known = [name for name in self.run.implementation.cable_drivers[:count] if name in RECOGNISED]
        if len(known) < count:
            pytest.skip(f"of {', '.join(self.run.implementation.cable_drivers)}, packets of {len(known)} can be told")
        return known

    def _endpoints(self) -> list[Object]:
        """Return the specification of every Endpoint that any member has; there is one at least."""
        found = [obj["spec"] for api in self.apis.values() for obj in api.items(f"{GROUP}/endpoints")]
        if not found:
            raise AssertionError("no member has an Endpoint")
        return found

    @contextmanager
    def without_cables(self) -> Iterator[None]:
        """Hold down every link of gateway nodes that came with the implementation, while the context is open.

        Skips the test where no such link is: what cannot be taken away cannot be missed.
        """
        found = cables.links_that_came(self.before.nodes, self.node_states())
        chosen = [(node.place, link) for node in self.nodes if node.is_gateway for link in found.get(node.place, ())]
        if not chosen:
            pytest.skip("the implementation brought no link to a gateway node")
        try:
            for place, link in chosen:
                cables.set_link(self.ground, place, link, "down")
            self.run.note(f"links down: {', '.join(f'{place} {link}' for place, link in chosen)}")
            yield
        finally:
            for place, link in chosen:
                cables.set_link(self.ground, place, link, "up")

    def tunnel_device(self, node: Node, pod: Pod) -> str:
        """Return the link that came with the implementation and leads from a gateway node to a remote pod.

        Skips the test if there is none, or one with link-layer addresses: packets cannot be handed to it as they are.
        """
        device = str(self._ask(node, "route", "get", str(pod.address(self.families[0])))["dev"])
        came = cables.links_that_came(self.before.nodes, self.node_states())[node.place]
        if device not in came or self._ask(node, "link", "show", "dev", device)["link_type"] == "ether":
            pytest.skip(f"{device} on {node} is no tunnel that takes bare IP packets")
        return device

    def _tunnels(self) -> dict[str, str]:
        """Return which links have come to each gateway, by kind: a report says whose code carried the packets."""
        return {
            f"tunnels/{node.place}": ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
            for node in self.nodes
            if node.is_gateway
            and (kinds := cables.tunnel_kinds(self.ground, node.place, self.before.nodes[node.place]))
        }
