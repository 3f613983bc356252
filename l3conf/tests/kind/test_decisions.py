"""What the lab decides before it acts: which topologies stand, names, addresses, what is missing."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from l3conf.errors import LabIncapableError, UserError
from l3conf.labs.base import Capability
from l3conf.labs.kind import preflight
from l3conf.labs.kind.claim import Claim, may_be_dead
from l3conf.labs.kind.naming import Names, may_be_removed, names_of
from l3conf.labs.kind.networks import networks_of, same_host
from l3conf.labs.kind.options import kind_settings
from l3conf.labs.kind.settings import KindSettings
from l3conf.labs.kind.standing import can_stand, check_standing
from l3conf.model.topology import NetworkPlugin
from l3conf.tests.kind.conftest import TOPOLOGIES, topology

MAC = "02:42:c0:00:02:0a"
CALICO = KindSettings(cni="calico", cni_manifests=("https://example.org/calico.yaml",))


def reason(name: str, settings: KindSettings | None = None) -> str:
    with pytest.raises(LabIncapableError, match=f"cannot be the topology {name}") as refused:
        check_standing(topology(name), settings or KindSettings())
    return str(refused.value)


def test_docker_and_kind_make_most_topologies_with_what_stands_between_their_sites() -> None:
    stand = {file.stem for file in TOPOLOGIES.glob("*.yaml") if can_stand(topology(file.stem), KindSettings())}
    assert {
        "two-clusters",
        "nat-both-static",
        "nat-symmetric",
        "shared-address",
        "small-mtu",
        "dual-stack",
    } <= stand
    assert {"identical-ranges", "chain-of-three", "two-gateways", "hub-and-spoke"} <= stand


def test_what_cannot_be_made_is_said() -> None:
    assert "drops foreign sources" in reason("filtered-cloud")
    assert "kindnet does not do as the plugin overlay" in reason("mixed-plugins")
    assert "its LAN lies in its pod range" in reason("nodes-among-pods")
    assert "of their pods' families" in reason("mixed-families", CALICO)


def test_a_plugin_stands_for_the_one_with_its_habits_alone() -> None:
    east = replace(topology("two-clusters").clusters[0], plugin=NetworkPlugin.OVERLAY)
    overlay = replace(topology("two-clusters"), clusters=(east,))
    assert can_stand(overlay, CALICO)
    assert not can_stand(overlay, KindSettings())
    routed = replace(overlay, clusters=(replace(east, plugin=NetworkPlugin.ROUTED),))
    assert not can_stand(routed, CALICO)


def test_pod_ranges_are_cut_as_kubernetes_cuts_them() -> None:
    east = replace(topology("two-clusters").clusters[0], pod_cidrs=(ip_network("10.1.0.0/23"),))
    with pytest.raises(LabIncapableError, match="cut into slices of /24"):
        check_standing(replace(topology("two-clusters"), clusters=(east,)), KindSettings())


def test_capabilities_follow_from_the_plugin() -> None:
    assert frozenset(Capability) - KindSettings().capabilities == {Capability.API_FAULTS}
    flannel = KindSettings(cni="flannel", cni_manifests=("https://x",))
    assert frozenset(Capability) - flannel.capabilities == {Capability.API_FAULTS, Capability.NETWORK_POLICY}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cni": "weave"}, "one of: kindnet, calico, flannel, cilium"),
        ({"cni": "calico"}, "--cni-manifest FILE-OR-URL"),
        ({"cni_manifest": ("https://x",)}, "kindnet is kind's own"),
        ({"cni": "calico", "cni_manifest": ("/no/such/file",)}, "there is no such file"),
    ],
)
def test_options_that_contradict_themselves_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        kind_settings(**given).check()


def test_settings_survive_as_words() -> None:
    settings = KindSettings(cni="calico", cni_manifests=("a", "b"), load_images=("x:1",), keep_clusters=True)
    assert settings.words() == [
        *("--cni", "calico", "--cni-manifest", "a", "--cni-manifest", "b", "--load-image", "x:1", "--keep-clusters")
    ]
    assert KindSettings().words() == []


def test_networks_leave_room_for_the_addresses_of_the_file() -> None:
    of = topology("dual-stack")
    wan, east, _ = networks_of(of, names_of(of, KindSettings(), "m:b:n"))
    assert [str(each.handed_out) for each in wan.subnets] == ["192.0.2.2/31", "2001:db8::2/127"]
    assert [str(each.handed_out) for each in east.subnets] == ["172.16.1.64/26", "fd01:1::40/122"]
    assert [str(each.gateway) for each in east.subnets] == ["172.16.1.254", "fd01:1::fe"]
    assert east.has_ipv6
    assert not networks_of(topology("two-clusters"), names_of(of, KindSettings(), "m:b:n"))[0].has_ipv6
    assert networks_of(topology("small-mtu"), names_of(of, KindSettings(), "m:b:n"))[2].mtu == 1420


def test_a_machine_has_the_same_number_in_both_families_or_none() -> None:
    cidrs = (ip_network("172.16.1.0/24"), ip_network("fd01:1::/64"))
    assert same_host([ip_address("172.16.1.65"), ip_address("fd01:1::41")], cidrs) == 65
    assert same_host([ip_address("172.16.1.65"), ip_address("fd01:1::42")], cidrs) is None
    assert same_host([ip_address("172.16.1.65")], cidrs) is None
    assert same_host([ip_address("172.18.0.2")], cidrs) is None


def test_names_fit_hosts_and_collide_with_nothing() -> None:
    long = "a" * 63
    names = Names(lab="0a1b2c3d", owner="m:b:n", sites=("east", long, "broker"))
    assert names.cluster(long) == "l3conf-0a1b2c3d-site1"
    assert names.cluster("broker") == "l3conf-0a1b2c3d-site2"
    assert names.broker == "l3conf-0a1b2c3d-broker"
    assert names.node("east", 0) == "l3conf-0a1b2c3d-east-worker"
    assert names.node("east", 1) == "l3conf-0a1b2c3d-east-worker2"


def test_labs_are_told_apart_by_topology_settings_and_machine() -> None:
    two, nat = topology("two-clusters"), topology("nat-symmetric")
    labs = [
        names_of(two, KindSettings(), "m:b:n").lab,
        names_of(nat, KindSettings(), "m:b:n").lab,
        names_of(two, KindSettings(node_image="x"), "m:b:n").lab,
        names_of(two, KindSettings(), "other:b:n").lab,
    ]
    assert len(set(labs)) == 4
    assert names_of(two, KindSettings(), "m:another-boot:n").lab == labs[0]


def test_a_label_alone_lets_nobodys_cluster_be_removed() -> None:
    ours = {"app.kubernetes.io/managed-by": "l3conf", "l3conf.io/lab": "0a1b2c3d"}
    assert may_be_removed("l3conf-0a1b2c3d-east", ours)
    assert not may_be_removed("production", ours)
    assert not may_be_removed("l3conf-ffffffff-east", ours)
    assert not may_be_removed("l3conf-0a1b2c3d-east", {"l3conf.io/lab": "0a1b2c3d"})


@pytest.mark.parametrize(
    ("theirs", "dead"),
    [
        ("machine:boot:1", True),  # ours: the claim would show it
        ("machine:earlier:9", True),
        ("machine:boot:2", False),  # another network namespace: its claim is not seen here
        ("elsewhere:boot:1", False),
        ("", False),
        ("machine", False),
    ],
)
def test_only_what_is_dead_for_certain_counts_as_dead(theirs: str, dead: bool) -> None:  # noqa: FBT001 - a parameter
    assert may_be_dead(theirs, "machine:boot:1") is dead


def test_two_runs_have_one_engine_one_after_the_other() -> None:
    first = Claim("stub-claim")
    with pytest.raises(UserError, match="another run has a lab of kind"):
        Claim("stub-claim")
    Claim("another-engine").close()
    first.close()
    Claim("stub-claim").close()


def facts(**changed: object) -> preflight.Facts:
    info = {"OSType": "linux", "MemTotal": 16 << 30, "SecurityOptions": ["name=seccomp"], "IPv4Forwarding": True}
    own = {
        name: changed.pop(name)
        for name in ("missing_images", "instances", "watches", "available_mb")
        if name in changed
    }
    return preflight.Facts(info=info | changed, **own)  # type: ignore[arg-type]


def missing(found: preflight.Facts) -> str:
    return "; ".join(map(str, preflight.problems(found, control_planes=3)))


def test_nothing_is_missing_where_nothing_is() -> None:
    assert missing(facts(instances=512, watches=524288, available_mb=8000)) == ""


def test_everything_that_is_missing_is_said_with_its_remedy() -> None:
    said = missing(
        facts(instances=128, watches=8192, available_mb=4000, missing_images=["ghcr.io/l3conf/probe:v1", "acme:2"])
    )
    assert (
        "fs.inotify.max_user_instances is 128, and is to be 512 (sysctl -w fs.inotify.max_user_instances=512)" in said
    )
    assert "max_user_watches is 8192" in said
    assert "4000 MB of memory are free, and 3 control planes take 5100 MB" in said
    assert "no image ghcr.io/l3conf/probe:v1 (make images REGISTRY=ghcr.io/l3conf" in said
    assert "no image acme:2 (docker pull or build" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"OSType": "windows"}, "windows containers"),
        ({"SecurityOptions": ["name=rootless"]}, "without root"),
        ({"IPv4Forwarding": False}, "ip_forward=1"),
        ({"MemTotal": 2 << 30}, "2048 MB"),
    ],
)
def test_engines_that_cannot_hold_the_lab_are_refused(changed: dict[str, object], said: str) -> None:
    assert said in missing(facts(**changed))
