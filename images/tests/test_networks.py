"""Probes between docker networks that a router with NAT joins, and what is left of it all.

::

    client ── north 192.0.2.0/26 ── router (masquerades into south) ── south 192.0.2.64/26 ── server
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import docker
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from images.tests.private_engine import PrivateEngine

RANGES = {"north": "192.0.2.0/26", "south": "192.0.2.64/26"}
CLIENT, NORTH_OF_ROUTER, SOUTH_OF_ROUTER, SERVER = "192.0.2.10", "192.0.2.20", "192.0.2.84", "192.0.2.90"
NAT = """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr 192.0.2.0/26 ip daddr 192.0.2.64/26 masquerade;
  }
}
"""
PROBE, ROUTER = "l3conf/probe:v1", "l3conf/router:v1"
UNPRIVILEGED: dict[str, Any] = {"cap_drop": ["ALL"], "read_only": True, "security_opt": ["no-new-privileges"]}
PORT, TIMEOUT = 7100, 2.0
PATIENCE = 20.0


class Ground:
    """The networks and their containers."""

    def __init__(self, engine: PrivateEngine) -> None:
        self._client = engine.client
        self._networks = {
            name: self._client.networks.create(
                f"l3conf-{name}",
                ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=cidr)]),
                labels={"l3conf": "test"},
            )
            for name, cidr in RANGES.items()
        }
        self._containers: list[Any] = []

    def start(self, image: str, networks: dict[str, str], **options: Any) -> Any:  # noqa: ANN401 - docker has no types
        """Start a container with an address in each of these networks, eth0 in the first one."""
        container = self._client.containers.create(image, network_mode="none", **options)
        self._containers.append(container)
        self._client.networks.get("none").disconnect(container)
        for name, address in networks.items():
            self._networks[name].connect(container, ipv4_address=address)
        container.start()
        return container

    def probe_pod(self, network: str, address: str) -> Any:  # noqa: ANN401 - likewise
        """Start a probe agent, and return once it serves."""
        environment = {"L3CONF_PLACE": f"{network}/l3conf/probe", "L3CONF_PROBE_SOCKET": "/run/probe.sock"}
        container = self.start(
            PROBE, {network: address}, environment=environment, tmpfs={"/run": "uid=65532"}, **UNPRIVILEGED
        )
        deadline = time.monotonic() + PATIENCE
        while b"serving" not in container.logs():
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.1)
        return container

    def beside(self, container: Any, *command: str) -> None:  # noqa: ANN401 - likewise
        """Run a command of the router's image in a container's network, with the right to change it."""
        self._client.containers.run(
            ROUTER,
            command,
            network_mode=f"container:{container.id}",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            remove=True,
        )

    def close(self) -> None:
        """Take everything away."""
        for container in self._containers:
            container.remove(force=True)
        for network in self._networks.values():
            network.remove()


@pytest.fixture
def ground(images: PrivateEngine) -> Iterator[Ground]:
    made = Ground(images)
    yield made
    made.close()


def observe(container: Any, destination: str, protocol: str) -> dict[str, Any]:  # noqa: ANN401 - docker has no types
    """Have a probe agent send one probe; return its observation."""
    place = next(text for text in container.attrs["Config"]["Env"] if text.startswith("L3CONF_PLACE=")).split("=")[1]
    probe = {"source": place, "destination": destination, "port": PORT, "protocol": protocol, "timeout": TIMEOUT}
    script = (
        "import subprocess, sys\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'l3conf.probes.agent', 'run'],"
        f" input={json.dumps([probe])!r}, text=True).returncode)"
    )
    code, output = container.exec_run(["python3", "-c", script])
    assert code == 0, output
    (observation,) = json.loads(output)
    return dict(observation)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_probe_crosses_two_networks_behind_the_routers_address(ground: Ground, protocol: str) -> None:
    client, server = ground.probe_pod("north", CLIENT), ground.probe_pod("south", SERVER)
    assert [observe(each, at, protocol)["outcome"] for each, at in ((client, CLIENT), (server, SERVER))] == [
        "delivered"
    ] * 2
    assert observe(client, SERVER, protocol)["outcome"] == "timeout"  # the engine keeps networks apart
    router = ground.start(
        ROUTER,
        {"north": NORTH_OF_ROUTER, "south": SOUTH_OF_ROUTER},
        sysctls={"net.ipv4.ip_forward": "1"},
        **UNPRIVILEGED,
    )
    ground.beside(router, "/usr/sbin/nft", NAT)
    ground.beside(client, "/usr/sbin/ip", "route", "replace", RANGES["south"], "via", NORTH_OF_ROUTER)
    answer = observe(client, SERVER, protocol)
    assert (answer["outcome"], answer.get("seen_as")) == ("delivered", SOUTH_OF_ROUTER), answer
    assert answer["responder"] == "south/l3conf/probe"
    assert observe(server, CLIENT, protocol)["outcome"] == "timeout"  # nobody behind a NAT is called


def test_clean_up_leaves_the_engine_as_it_was(images: PrivateEngine) -> None:
    before = state_of(images)
    ground = Ground(images)
    ground.probe_pod("north", CLIENT)
    ground.start(ROUTER, {"north": NORTH_OF_ROUTER, "south": SOUTH_OF_ROUTER}, **UNPRIVILEGED)
    assert state_of(images).keys() == before.keys()
    assert all(state_of(images)[name] != before[name] for name in ("rules", "links", "containers", "networks"))
    ground.close()
    assert state_of(images) == before


def state_of(engine: PrivateEngine) -> dict[str, object]:
    """Return what the engine has made of its network, and its objects."""
    client = engine.client
    return {
        "rules": engine.inside("nft", "--stateless", "list", "ruleset"),
        "links": sorted(link["ifname"] for link in json.loads(engine.inside("ip", "-json", "link"))),
        "routes": engine.inside("ip", "route", "show", "table", "all"),
        "containers": sorted(each.name for each in client.containers.list(all=True)),
        "networks": sorted(each.name for each in client.networks.list()),
        "volumes": sorted(each.name for each in client.volumes.list()),
    }
