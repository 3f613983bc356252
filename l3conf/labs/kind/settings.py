"""What the caller says of the clusters that are to be made: options as one value, and as words for another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.errors import UserError
from l3conf.labs.base import Capability
from l3conf.labs.existing.settings import PROBE_IMAGE
from l3conf.labs.option_tables import words_of
from l3conf.model.topology import NetworkPlugin

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDNET = "kindnet"
_URLS = ("https://",)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChoice:
    """A network plugin of real clusters, by what matters to the scenarios."""

    stands_for: NetworkPlugin
    """Which plugin of topology files has its habits."""
    enforces_policies: bool


KNOWN_PLUGINS: Mapping[str, NetworkChoice] = {
    KINDNET: NetworkChoice(stands_for=NetworkPlugin.BRIDGE, enforces_policies=True),
    "calico": NetworkChoice(stands_for=NetworkPlugin.OVERLAY, enforces_policies=True),
    "flannel": NetworkChoice(stands_for=NetworkPlugin.OVERLAY, enforces_policies=False),
    "cilium": NetworkChoice(stands_for=NetworkPlugin.OVERLAY, enforces_policies=True),
}
"""Habits as the manifests that their projects publish have them: kindnet routes between nodes and masquerades what
leaves the pod range; the others encapsulate by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSettings:
    """Options of ``--on kind``. Every field is an option of that name; tuples are given once for each value."""

    cni: str = KINDNET
    """Network plugin of all clusters: one of ``KNOWN_PLUGINS``."""
    cni_manifests: tuple[str, ...] = ()
    """Files or ``https`` URLs that install it, applied in order; needed for all but kindnet."""
    node_image: str = ""
    """Image of nodes; empty: the one that the kind CLI was built for."""
    router_image: str = ""
    """Image with sh, ip, nft, tc and conntrack; empty: that of the nodes, which has them."""
    load_images: tuple[str, ...] = ()
    """Images of this engine that nodes are given: the implementation's."""
    probe_image: str = PROBE_IMAGE
    keep_clusters: bool = False
    """Leave the clusters standing: a later run with the same topology and settings uses them again."""

    def words(self) -> list[str]:
        """Return the options that another process of this program is started with."""
        return words_of(self, OPTION_NAMES)

    @property
    def plugin(self) -> NetworkChoice:
        """What is known of the network plugin."""
        return KNOWN_PLUGINS[self.cni]

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What a lab of kind is able to do beyond the Kubernetes API."""
        missing = {Capability.API_FAULTS}
        if not self.plugin.enforces_policies:
            missing.add(Capability.NETWORK_POLICY)
        return frozenset(Capability) - missing

    def check(self) -> None:
        """Refuse what contradicts itself: ``UserError`` names option and remedy."""
        if self.cni not in KNOWN_PLUGINS:
            known = ", ".join(KNOWN_PLUGINS)
            raise UserError(
                f"{self.cni!r} is no network plugin that is known", where="--cni", remedy=f"one of: {known}"
            )
        if self.cni == KINDNET and self.cni_manifests:
            remedy = "name the plugin that the manifests install: --cni calico|flannel|cilium"
            raise UserError("kindnet is kind's own and takes no manifests", where="--cni-manifest", remedy=remedy)
        if self.cni != KINDNET and not self.cni_manifests:
            remedy = f"--cni-manifest FILE-OR-URL, as {self.cni} publishes it, and --load-image for its images"
            raise UserError(f"nothing installs {self.cni}", where="--cni", remedy=remedy)
        for manifest in self.cni_manifests:
            if not manifest.startswith(_URLS) and not Path(manifest).is_file():
                raise UserError(
                    "there is no such file", where=f"--cni-manifest {manifest}", remedy="a file, or https://…"
                )


OPTION_NAMES: Mapping[str, str] = {"cni_manifests": "cni-manifest", "load_images": "load-image"}
"""Options that are called otherwise than their fields: each names one of several."""
