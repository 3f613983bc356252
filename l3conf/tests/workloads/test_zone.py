"""What cluster DNS answers."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.workloads.dns import respond
from l3conf.emulator.workloads.zone import Zone, build_zone

DOMAIN = "cluster.local"


def service(name: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": {"ports": ports, **spec}}


def piece(service_name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service_name}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {
        "metadata": {"name": "x", "namespace": "ns", "labels": labels},
        "endpoints": list(endpoints),
        "ports": ports,
    }


def zone() -> Zone:
    services = [
        service("web", clusterIP="10.101.0.20", clusterIPs=["10.101.0.20", "fd00:101::20"]),
        service("db", clusterIP="None"),
        service("elsewhere", type="ExternalName", externalName="example.org"),
    ]
    endpoints = [
        {"addresses": ["10.1.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.1.0.6"], "conditions": {"ready": True}},
        {"addresses": ["10.1.0.7"], "conditions": {"ready": False}},
    ]
    return build_zone(DOMAIN, services, [piece("db", *endpoints)])


def ask(name: str, kind: str = "A", *, limit: int | None = 512, wanted: Zone | None = None) -> dns.message.Message:
    wire = respond(dns.message.make_query(name, kind).to_wire(), wanted or zone(), limit=limit)
    assert wire is not None
    return dns.message.from_wire(wire)


def answers(name: str, kind: str = "A") -> list[str]:
    return sorted(item.to_text() for rrset in ask(name, kind).answer for item in rrset)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("web.ns.svc.cluster.local.", "A", ["10.101.0.20"]),
        ("WEB.ns.svc.Cluster.Local.", "A", ["10.101.0.20"]),
        ("web.ns.svc.cluster.local.", "AAAA", ["fd00:101::20"]),
        ("_http._tcp.web.ns.svc.cluster.local.", "SRV", ["0 100 80 web.ns.svc.cluster.local."]),
        ("20.0.101.10.in-addr.arpa.", "PTR", ["web.ns.svc.cluster.local."]),
        ("db.ns.svc.cluster.local.", "A", ["10.1.0.5", "10.1.0.6"]),
        ("db-0.db.ns.svc.cluster.local.", "A", ["10.1.0.5"]),
        ("10-1-0-6.db.ns.svc.cluster.local.", "A", ["10.1.0.6"]),
        ("5.0.1.10.in-addr.arpa.", "PTR", ["db-0.db.ns.svc.cluster.local."]),
        ("elsewhere.ns.svc.cluster.local.", "A", ["example.org."]),
        ("10-1-0-9.ns.pod.cluster.local.", "A", ["10.1.0.9"]),
        ("dns-version.cluster.local.", "TXT", ['"1.1.0"']),
    ],
)
def test_names_have_their_records(name: str, kind: str, expected: list[str]) -> None:
    assert answers(name, kind) == expected


def test_headless_services_locate_every_endpoint_by_its_own_name() -> None:
    located = answers("_http._tcp.db.ns.svc.cluster.local.", "SRV")
    assert located == [
        "0 100 8080 10-1-0-6.db.ns.svc.cluster.local.",
        "0 100 8080 db-0.db.ns.svc.cluster.local.",
    ]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("no.ns.svc.cluster.local.", "A", dns.rcode.NXDOMAIN),
        ("7.0.1.10.in-addr.arpa.", "PTR", dns.rcode.NXDOMAIN),
        ("x-y.ns.pod.cluster.local.", "A", dns.rcode.NXDOMAIN),
        ("web.ns.svc.cluster.local.", "TXT", dns.rcode.NOERROR),
        ("ns.svc.cluster.local.", "A", dns.rcode.NOERROR),
        ("example.org.", "A", dns.rcode.REFUSED),
    ],
)
def test_no_has_the_right_reason(name: str, kind: str, code: dns.rcode.Rcode) -> None:
    response = ask(name, kind)
    assert response.rcode() is code
    assert not response.answer
    assert bool(response.authority) is (code is not dns.rcode.REFUSED)


def test_an_answer_that_does_not_fit_is_truncated_for_udp_alone() -> None:
    endpoints = [{"addresses": [f"10.1.{i // 250}.{i % 250 + 1}"]} for i in range(100)]
    large = build_zone(DOMAIN, [service("db", clusterIP="None")], [piece("db", *endpoints)])
    cut = ask("db.ns.svc.cluster.local.", wanted=large)
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert len(ask("db.ns.svc.cluster.local.", wanted=large, limit=None).answer[0]) == 100


@given(st.binary(max_size=64))
def test_no_message_whatsoever_breaks_the_server(wire: bytes) -> None:
    answer = respond(wire, zone(), limit=512)
    assert answer is None or dns.message.from_wire(answer).flags & dns.flags.QR
