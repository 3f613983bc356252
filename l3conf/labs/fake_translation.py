"""Global addresses of a fake lab, as a conforming implementation would have programmed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress, Topology


class FakeTranslation:
    """What leads where and who is seen as what; a test fills it in the implementation's place."""

    def __init__(self, topology: Topology) -> None:
        self._hidden = {cluster.name for cluster in topology.clusters if cluster.is_translated}
        self.places: dict[IPAddress, tuple[str, ...]] = {}
        """The places behind each global address, one of which answers."""
        self.sources: dict[str, IPAddress] = {}
        """As what other clusters see a place."""

    def leads_to(self, cluster: str, destination: IPAddress) -> bool:
        """Say whether others reach pods of a cluster by an address: by global ones alone where it has any."""
        return cluster not in self._hidden or destination in self.places

    def source(self, place: str, own: IPAddress) -> IPAddress:
        """Return as what other clusters see a place: as itself where nothing is said of it."""
        return self.sources.get(place, own)
