"""Loading topology and implementation files: read, validate, cross-check, and only then build values."""

from __future__ import annotations

import datetime as dt
import shutil
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.model.implementation import EmulatedImage, Implementation, Verb
from l3conf.model.site import ETHERNET_MTU, UDP_TIMEOUT, NATKind, PortMap, SiteSpec
from l3conf.model.topology import MAX_RESTART_PERIOD, ClusterSpec, NetworkPlugin, NodeSpec, Topology
from l3conf.spec.catalogue import load_features, load_profiles
from l3conf.spec.documents import Document, read_document
from l3conf.spec.implementation_checks import implementation_problems
from l3conf.spec.problems import Problem, refuse
from l3conf.spec.schema_files import schema_problems
from l3conf.spec.site_checks import site_problems
from l3conf.spec.topology_checks import size_problems, topology_problems, wan_ranges
from l3conf.verdict import Exemption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.model.topology import IPNetwork


def load_topology(path: Path | str) -> Topology:
    """Load a topology file; ``InvalidFileError`` names every problem with file, line, field and remedy."""
    document = read_document(Path(path))
    refuse(document.file, schema_problems("topology", document.data), document.lines)
    refuse(document.file, topology_problems(document.data), document.lines)
    topology = _topology(document.data)
    refuse(document.file, size_problems(topology) + site_problems(topology), document.lines)
    return topology


def load_implementation(path: Path | str) -> Implementation:
    """Load an implementation file; ``InvalidFileError`` names every problem with file, line, field and remedy."""
    document = _implementation_document(Path(path))
    implementation = _implementation(document.data, document.file.resolve())
    refuse(document.file, _missing_program(implementation), document.lines)
    return implementation


def load_exemptions(path: Path | str) -> tuple[Exemption, ...]:
    """Load the public waivers that an implementation file asks for; errors as of ``load_implementation``."""
    exemptions = _implementation_document(Path(path)).data["spec"].get("exemptions", [])
    return tuple(
        Exemption(**{**exemption, "expires": dt.date.fromisoformat(exemption["expires"])}) for exemption in exemptions
    )


def file_digest(path: Path | str) -> str:
    """Return the SHA-256 of a topology or implementation file in hex, as reports record it."""
    return read_document(Path(path)).digest


def _implementation_document(file: Path) -> Document:
    document = read_document(file)
    refuse(file, schema_problems("implementation", document.data), document.lines)
    extended = [feature.name for feature in load_features() if feature.extended]
    profiles = [profile.name for profile in load_profiles()]
    refuse(file, implementation_problems(document.data, profiles=profiles, features=extended), document.lines)
    return document


def _networks(texts: Sequence[str]) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(text) for text in texts)


_PLACES = ("first", "second")
"""Places in an implementation's list of cable drivers, as topology files name them."""


def _topology(data: Mapping[str, Any]) -> Topology:
    spec = data["spec"]
    return Topology(
        name=data["metadata"]["name"],
        clusters=tuple(_cluster(cluster) for cluster in spec["clusters"]),
        wan_cidrs=_networks(wan_ranges(spec)),
        pods_per_node=spec.get("podsPerNode", 0),
    )


def _cluster(data: Mapping[str, Any]) -> ClusterSpec:
    return ClusterSpec(
        name=data["name"],
        pod_cidrs=_networks(data["podCIDRs"]),
        service_cidrs=_networks(data["serviceCIDRs"]),
        node_cidrs=_networks(data["nodeCIDRs"]),
        nodes=tuple(
            NodeSpec(
                name=node["name"],
                gateway=node.get("gateway", False),
                annotations=tuple(node.get("annotations", {}).items()),
            )
            for node in data["nodes"]
        ),
        plugin=NetworkPlugin(data.get("plugin", "bridge")),
        site=_site(data.get("site", {})),
        cable_drivers=tuple(_PLACES.index(place) for place in data.get("cableDrivers", [])),
        global_cidrs=_networks(data["globalCIDRs"]) if "globalCIDRs" in data else None,
        max_container_restart_period=_restart_period(data.get("kubelet", {})),
    )


def _restart_period(kubelet: Mapping[str, Any]) -> int:
    """Return the seconds of a duration that the schema has bounded; it is written as in a KubeletConfiguration."""
    written = kubelet.get("crashLoopBackOff", {}).get("maxContainerRestartPeriod")
    return int(written.removesuffix("s")) if written else MAX_RESTART_PERIOD


def _site(data: Mapping[str, Any]) -> SiteSpec:
    return SiteSpec(
        nat=NATKind(data.get("nat", "none")),
        port_maps=tuple(PortMap(**port_map) for port_map in data.get("portMaps", [])),
        udp_timeout=data.get("udpTimeoutSeconds", UDP_TIMEOUT),
        public_address_of=data.get("publicAddressOf", ""),
        filter_sources=data.get("filterSources", False),
        filter_icmp_errors=data.get("filterICMPErrors", False),
        lan_mtu=data.get("lanMTU", ETHERNET_MTU),
        wan_mtu=data.get("wanMTU", ETHERNET_MTU),
    )


def _implementation(data: Mapping[str, Any], file: Path) -> Implementation:
    spec = data["spec"]
    hooks = spec["hooks"]
    return Implementation(
        name=data["metadata"]["name"],
        version=spec["version"],
        path=file,
        command=tuple(hooks["command"]),
        verbs=frozenset(Verb(verb) for verb in hooks["verbs"]),
        hook_timeout=float(hooks.get("timeoutSeconds", 120)),
        hook_env=dict(hooks.get("env", {})),
        organization=spec.get("organization", ""),
        url=spec.get("url", ""),
        profiles=frozenset({"core", *spec.get("profiles", [])}),
        features=frozenset(spec.get("features", [])),
        cable_drivers=tuple(spec.get("cableDrivers", [])),
        previous_versions=tuple(spec.get("previousVersions", [])),
        images=tuple(_image(image) for image in spec.get("images", [])),
        residue=tuple(spec.get("residue", [])),
    )


def _image(data: Mapping[str, Any]) -> EmulatedImage:
    return EmulatedImage(
        name=data["name"],
        command=tuple(data["command"]),
        env=dict(data.get("env", {})),
        build=tuple(data.get("build", [])),
    )


def _missing_program(implementation: Implementation) -> list[Problem]:
    """Find a hook command that cannot be started at all, before a lab is built for it."""
    folder = implementation.path.parent
    program = implementation.command[0].replace("{directory}", str(folder))
    if "{" in program:
        return []
    found = shutil.which(str(folder / program) if "/" in program else program)
    if found:
        return []
    where = f"in {folder}" if "/" in program else "on PATH"
    what = f"there is no program {program!r} {where}"
    return [Problem(("spec", "hooks", "command", 0), what, "check the name and its executable bit")]
