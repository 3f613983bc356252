"""Which cable drivers there are.

Three are built in. Another package adds one by an entry point whose name is the backend, as peers will read it in
``Endpoint.spec.backend``, and whose object is a ``Factory``::

    [project.entry-points."reference_impl.cable_drivers"]
    geneve = "mydriver:GeneveCables.for_node"

A driver plans in the words of ``reference_impl.state``: devices, peers, neighbours and next hops. Its cluster then
runs with ``cable-driver: geneve`` in the settings, or with ``geneve,vxlan``: each pair of clusters then uses the driver
that both have and like best (``reference_impl.planner.driver_set``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from reference_impl.agents.settings import SettingsError
from reference_impl.names import CABLE_DRIVER_GROUP, IPSEC_BACKEND, SHARED_PORTS, VXLAN_BACKEND, WIREGUARD_BACKEND
from reference_impl.planner.cable import CableDriver
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.ipsec import IPsecCables
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.planner.wireguard import WireGuardCables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Factory: TypeAlias = Callable[[str], CableDriver]
"""Makes a driver, given the node's public key (base64 of X25519); "" on nodes that hold no cables."""
BUILT_IN: Mapping[str, Factory] = {
    VXLAN_BACKEND: lambda _key: VXLANCables(),
    WIREGUARD_BACKEND: WireGuardCables,
    IPSEC_BACKEND: IPsecCables,
}


def load_drivers(names: Iterable[str], public_key: str = "") -> DriverSet:
    """Return the drivers of those names, each on a port of its own; ``SettingsError`` says what cannot be."""
    drivers = tuple(load_driver(name, public_key) for name in names)
    if len(drivers) == 1:
        return DriverSet(drivers)
    spread = tuple(
        driver.at_port(SHARED_PORTS[driver.backend]) if driver.backend in SHARED_PORTS else driver for driver in drivers
    )
    for what, taken in (
        ("port", [driver.port for driver in spread]),
        ("device", [device for driver in spread for device in driver.devices]),
    ):
        if len(set(taken)) < len(taken):
            raise SettingsError(f"setting cable-driver: of {', '.join(names)}, two use the same {what}")
    return DriverSet(spread)


def load_driver(backend: str, public_key: str = "") -> CableDriver:
    """Return the driver of that name; ``SettingsError`` says which there are."""
    if backend in BUILT_IN:
        return BUILT_IN[backend](public_key)
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and seldom needed

    installed = {entry.name: entry for entry in entry_points(group=CABLE_DRIVER_GROUP)}
    if backend not in installed:
        names = ", ".join(sorted({*BUILT_IN, *installed}))
        raise SettingsError(f"setting cable-driver: there is no {backend!r}; installed are {names}")
    driver: CableDriver = installed[backend].load()(public_key)
    return driver
