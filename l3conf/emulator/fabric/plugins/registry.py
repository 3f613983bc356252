"""Network plugins by the names that topology files give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.fabric.plugins import bridge, overlay, routed
from l3conf.model.topology import NetworkPlugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.fabric.plugins.protocol import Plugin

PLUGINS: Mapping[NetworkPlugin, Plugin] = {
    NetworkPlugin.BRIDGE: bridge,
    NetworkPlugin.OVERLAY: overlay,
    NetworkPlugin.ROUTED: routed,
}
