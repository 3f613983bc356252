from __future__ import annotations

from typing import Any

import pytest

from l3conf.emulator.policies.allowed import EGRESS, INGRESS, allowed, is_subject

WEB = "web"


def pod(
    name: str, namespace: str = WEB, *addresses: str, ports: tuple[tuple[str, int], ...] = (), **labels: str
) -> Any:  # noqa: ANN401
    listed = [{"name": each, "containerPort": number, "protocol": "TCP"} for each, number in ports]
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": labels},
        "spec": {"containers": [{"ports": listed}]},
        "status": {"phase": "Running", "podIPs": [{"ip": address} for address in addresses]},
    }


SERVER = pod("server", WEB, "10.1.0.2", "fd10:1::2", ports=(("http", 8080),), app="server")
FRONT = pod("front", WEB, "10.1.0.3", app="front")
ELSEWHERE = pod("elsewhere", "ops", "10.1.0.4", app="front")
PODS = [SERVER, FRONT, ELSEWHERE]
NAMESPACES = [{"metadata": {"name": WEB, "labels": {}}}, {"metadata": {"name": "ops", "labels": {"team": "ops"}}}]


def policy(**spec: object) -> dict[str, Any]:
    types = [kind for kind in (INGRESS, EGRESS) if kind.lower() in spec] or [INGRESS]
    return {"metadata": {"name": "p", "namespace": WEB}, "spec": {"podSelector": {}, "policyTypes": types, **spec}}


def ask(*policies: dict[str, Any], of: Any = SERVER, direction: str = INGRESS) -> list[str] | None:  # noqa: ANN401
    return allowed(of, direction, policies, PODS, NAMESPACES)


def test_a_pod_that_nobody_selects_is_not_isolated() -> None:
    assert ask() is None
    assert ask(policy(podSelector={"matchLabels": {"app": "other"}})) is None
    assert ask(policy(ingress=[]), of=ELSEWHERE) is None, "policies are about pods of their namespace"
    assert ask(policy(ingress=[]), direction=EGRESS) is None


def test_one_that_is_selected_may_do_what_some_rule_allows_and_nothing_else() -> None:
    assert ask(policy(ingress=[])) == []
    assert ask(policy()) == []
    assert ask(policy(ingress=[{}])) == [""]
    assert ask(policy(ingress=[]), policy(ingress=[{"ports": [{"port": 80}]}])) == ["tcp dport 80"]


@pytest.mark.parametrize(
    ("peer", "matches"),
    [
        ({"ipBlock": {"cidr": "10.2.0.0/16"}}, ["ip saddr 10.2.0.0/16"]),
        (
            {"ipBlock": {"cidr": "10.2.0.0/16", "except": ["10.2.9.0/24"]}},
            ["ip saddr 10.2.0.0/16 ip saddr != { 10.2.9.0/24 }"],
        ),
        ({"ipBlock": {"cidr": "fd10:2::/56"}}, ["ip6 saddr fd10:2::/56"]),
        ({"podSelector": {"matchLabels": {"app": "front"}}}, ["ip saddr { 10.1.0.3 }"]),
        ({"podSelector": {}}, ["ip saddr { 10.1.0.2, 10.1.0.3 }", "ip6 saddr { fd10:1::2 }"]),
        ({"namespaceSelector": {"matchLabels": {"team": "ops"}}}, ["ip saddr { 10.1.0.4 }"]),
        (
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "front"}}},
            ["ip saddr { 10.1.0.3, 10.1.0.4 }"],
        ),
        ({"podSelector": {"matchLabels": {"app": "nobody"}}}, []),
    ],
)
def test_peers_are_blocks_or_the_pods_that_are_selected(peer: dict[str, Any], matches: list[str]) -> None:
    assert ask(policy(ingress=[{"from": [peer]}])) == matches


def test_each_peer_may_use_each_port_of_its_rule() -> None:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 8000, "endPort": 8100}, {"protocol": "SCTP"}]
    found = ask(policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.2.0.0/16"}}], "ports": ports}]))
    assert found == [
        "ip saddr 10.2.0.0/16 udp dport 53",
        "ip saddr 10.2.0.0/16 tcp dport 8000-8100",
        "ip saddr 10.2.0.0/16 meta l4proto sctp",
    ]


def test_a_port_by_name_is_that_of_the_pod_which_serves_it() -> None:
    named = [{"port": "http"}]
    assert ask(policy(ingress=[{"ports": named}])) == ["tcp dport 8080"]
    assert ask(policy(ingress=[{"ports": named}]), of=FRONT) == []
    to_server = {"to": [{"podSelector": {"matchLabels": {"app": "server"}}}], "ports": named}
    found = ask(policy(egress=[to_server]), of=FRONT, direction=EGRESS)
    assert found == ["ip daddr { 10.1.0.2 } tcp dport 8080", "ip6 daddr { fd10:1::2 } tcp dport 8080"]


def test_host_network_pods_and_those_that_have_ended_are_no_subjects() -> None:
    assert is_subject(SERVER)
    assert not is_subject({**SERVER, "spec": {"hostNetwork": True}})
    assert not is_subject({**SERVER, "status": {**SERVER["status"], "phase": "Succeeded"}})
    assert not is_subject({**SERVER, "status": {"phase": "Pending"}})
