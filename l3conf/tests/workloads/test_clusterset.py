"""What cluster DNS answers about Services of the whole cluster set."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.rcode
import pytest

from l3conf.emulator.workloads.dns import respond
from l3conf.emulator.workloads.zone import Zone, build_zone

Object = dict[str, Any]


def imported(name: str, **spec: Any) -> Object:  # noqa: ANN401 - JSON
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": {"ports": ports, **spec}}


def piece(service: str, cluster: str, *endpoints: Object) -> Object:
    labels = {"multicluster.kubernetes.io/service-name": service, "multicluster.kubernetes.io/source-cluster": cluster}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {
        "metadata": {"name": f"{service}.{cluster}", "namespace": "ns", "labels": labels},
        "endpoints": list(endpoints),
        "ports": ports,
    }


def zone(imports: list[Object] | None = None) -> Zone:
    own = {
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"clusterIP": "10.101.0.20", "clusterIPs": ["10.101.0.20"]},
    }
    listed = [
        imported("web", type="ClusterSetIP", ips=["10.101.0.20"]),
        imported("shop", type="ClusterSetIP", ips=["100.64.2.10", "fd00:102::20", "nonsense"]),
        imported("db", type="Headless"),
        imported("empty", type="Headless"),
    ]
    slices = [
        piece("db", "east", {"addresses": ["10.1.0.5"], "hostname": "db-0"}, {"addresses": ["10.1.0.6"]}),
        piece("db", "west", {"addresses": ["10.2.0.5"], "hostname": "db-0", "conditions": {"ready": True}}),
        piece("db", "west", {"addresses": ["10.2.0.7"], "hostname": "db-2", "conditions": {"ready": False}}),
        piece("empty", "west", {"addresses": ["10.2.0.8"], "conditions": {"ready": False}}),
        piece("shop", "west", {"addresses": ["100.64.2.10"]}),
        piece("unknown", "west", {"addresses": ["10.2.0.9"]}),
    ]
    return build_zone("cluster.local", [own], slices, listed if imports is None else imports)


def ask(name: str, kind: str, wanted: Zone | None = None) -> dns.message.Message:
    wire = respond(dns.message.make_query(name, kind).to_wire(), wanted or zone(), limit=None)
    assert wire is not None
    return dns.message.from_wire(wire)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("shop.ns.svc.clusterset.local.", "A", ["100.64.2.10"]),
        ("SHOP.ns.svc.ClusterSet.local.", "AAAA", ["fd00:102::20"]),
        ("_http._tcp.shop.ns.svc.clusterset.local.", "SRV", ["0 100 80 shop.ns.svc.clusterset.local."]),
        ("10.2.64.100.in-addr.arpa.", "PTR", ["shop.ns.svc.clusterset.local."]),
        ("20.0.101.10.in-addr.arpa.", "PTR", ["web.ns.svc.cluster.local."]),
        ("db.ns.svc.clusterset.local.", "A", ["10.1.0.5", "10.1.0.6", "10.2.0.5"]),
        ("db-0.east.db.ns.svc.clusterset.local.", "A", ["10.1.0.5"]),
        ("db-0.west.db.ns.svc.clusterset.local.", "A", ["10.2.0.5"]),
        ("10-1-0-6.east.db.ns.svc.clusterset.local.", "A", ["10.1.0.6"]),
        ("5.0.2.10.in-addr.arpa.", "PTR", ["db-0.west.db.ns.svc.clusterset.local."]),
        (
            "_http._tcp.db.ns.svc.clusterset.local.",
            "SRV",
            [
                "0 100 8080 10-1-0-6.east.db.ns.svc.clusterset.local.",
                "0 100 8080 db-0.east.db.ns.svc.clusterset.local.",
                "0 100 8080 db-0.west.db.ns.svc.clusterset.local.",
            ],
        ),
        ("dns-version.clusterset.local.", "TXT", ['"1.0.0"']),
        ("web.ns.svc.cluster.local.", "A", ["10.101.0.20"]),
    ],
)
def test_names_have_their_records(name: str, kind: str, expected: list[str]) -> None:
    assert sorted(item.to_text() for rrset in ask(name, kind).answer for item in rrset) == expected


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("west.shop.ns.svc.clusterset.local.", dns.rcode.NXDOMAIN),
        ("db-2.west.db.ns.svc.clusterset.local.", dns.rcode.NXDOMAIN),
        ("empty.ns.svc.clusterset.local.", dns.rcode.NXDOMAIN),
        ("unknown.ns.svc.clusterset.local.", dns.rcode.NXDOMAIN),
        ("svc.clusterset.local.", dns.rcode.NOERROR),
        ("elsewhere.local.", dns.rcode.REFUSED),
    ],
)
def test_there_is_no_answer_to_other_questions(name: str, code: dns.rcode.Rcode) -> None:
    response = ask(name, "A")
    assert (response.rcode(), response.answer) == (code, [])


def test_no_is_said_in_the_name_of_the_domain_that_was_asked() -> None:
    authorities = [
        str(ask(f"x.svc.{domain}.", "A").authority[0].name) for domain in ("clusterset.local", "cluster.local")
    ]
    assert authorities == ["clusterset.local.", "cluster.local."]


def test_a_cluster_whose_api_serves_no_imports_refuses_to_answer() -> None:
    plain = build_zone("cluster.local", [], [])
    assert ask("shop.ns.svc.clusterset.local.", "A", plain).rcode() is dns.rcode.REFUSED
    assert ask("shop.ns.svc.clusterset.local.", "A", zone([])).rcode() is dns.rcode.NXDOMAIN
