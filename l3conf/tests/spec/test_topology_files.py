"""A topology file either becomes a topology or says, field by field, what to mend."""

from __future__ import annotations

import copy
import hashlib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l3conf.errors import InvalidFileError
from l3conf.model.topology import IPFamily, NetworkPlugin
from l3conf.spec import documents
from l3conf.spec.files import file_digest, load_topology
from l3conf.spec.problems import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLISHED = sorted((Path(__file__).parents[3] / "topologies").glob("*.yaml"))
VALID: dict[str, Any] = {
    "apiVersion": "l3conf.io/v1alpha1",
    "kind": "Topology",
    "metadata": {"name": "two"},
    "spec": {
        "clusters": [
            {
                "name": "east",
                "podCIDRs": ["10.1.0.0/16"],
                "serviceCIDRs": ["10.101.0.0/16"],
                "nodeCIDRs": ["172.16.1.0/24"],
                "nodes": [{"name": "east-1", "gateway": True}, {"name": "east-2"}],
            },
            {
                "name": "west",
                "podCIDRs": ["10.2.0.0/16"],
                "serviceCIDRs": ["10.102.0.0/16"],
                "nodeCIDRs": ["172.16.2.0/24"],
                "nodes": [{"name": "west-1", "gateway": True}],
            },
        ]
    },
}


class PlainDumper(yaml.SafeDumper):
    """Writes shared values twice: the files of users share nothing."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def write(directory: Path, data: object) -> Path:
    path = directory / "two.yaml"
    path.write_text(
        data if isinstance(data, str) else yaml.dump(data, Dumper=PlainDumper, sort_keys=False), encoding="utf-8"
    )
    return path


def refusal(directory: Path, change: Callable[[dict[str, Any]], object]) -> str:
    data = copy.deepcopy(VALID)
    change(data["spec"])
    with pytest.raises(InvalidFileError) as refused:
        load_topology(write(directory, data))
    return str(refused.value)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_topologies_load_and_are_called_as_their_files(path: Path) -> None:
    assert load_topology(path).name == path.stem


def test_a_lan_may_lie_in_its_own_pod_range_beyond_the_slices_of_its_nodes(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    data["spec"]["clusters"][1]["nodeCIDRs"] = ["10.2.255.0/24"]
    assert load_topology(write(tmp_path, data)).cluster("west").node_cidrs == (IPv4Network("10.2.255.0/24"),)
    said = refusal(tmp_path, lambda spec: spec["clusters"][1].update(nodeCIDRs=["10.2.0.0/24"]))
    assert "10.2.0.0/24 overlaps 10.2.0.0/24, where a node has its pods" in said
    said = refusal(tmp_path, lambda spec: spec["clusters"][1].update(nodeCIDRs=["10.1.255.0/24"]))
    assert "overlaps 10.1.0.0/16" in said


def test_what_a_file_says_becomes_values(tmp_path: Path) -> None:
    topology = load_topology(write(tmp_path, VALID))
    east = topology.cluster("east")
    assert east.pod_cidrs == (IPv4Network("10.1.0.0/16"),)
    assert [node.name for node in east.gateway_nodes] == ["east-1"]
    assert topology.wan_cidrs == (IPv4Network("192.0.2.0/24"),)


def restarting(period: object) -> dict[str, Any]:
    return {"crashLoopBackOff": {"maxContainerRestartPeriod": period}}


@pytest.mark.parametrize(("kubelet", "seconds"), [({}, 300), ({"crashLoopBackOff": {}}, 300), (restarting("7s"), 7)])
def test_kubelets_restart_containers_as_late_as_the_file_says(
    kubelet: dict[str, Any], seconds: int, tmp_path: Path
) -> None:
    data = copy.deepcopy(VALID)
    data["spec"]["clusters"][1]["kubelet"] = kubelet
    topology = load_topology(write(tmp_path, data))
    periods = [cluster.max_container_restart_period for cluster in topology.clusters]
    assert periods == [300, seconds]


def first(spec: dict[str, Any]) -> dict[str, Any]:
    cluster: dict[str, Any] = spec["clusters"][0]
    return cluster


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: first(s).update(podCIDRS=["10.3.0.0/16"]), "spec.clusters[0].podCIDRS: unknown key"),
        (lambda s: first(s).update(pluginn="bridge"), "spec.clusters[0].pluginn: unknown key (did you mean plugin?)"),
        (lambda s: first(s).pop("nodes"), "spec.clusters[0].nodes: missing (add it: At least one is a gateway node.)"),
        (lambda s: first(s).update(plugin="calico"), "spec.clusters[0].plugin: 'calico' is not allowed (use one of"),
        (lambda s: first(s).update(podCIDRs="10.1.0.0/16"), "is not of type array (write a list)"),
        (lambda s: first(s).update(name=7), "spec.clusters[0].name: 7 is not of type string (quote it)"),
        (lambda s: first(s).update(name="East_1"), "'East_1' is not an RFC 1123 label"),
        (lambda s: first(s).update(name="east\n"), "is not an RFC 1123 label"),
        (lambda s: first(s).update(name="e" * 64), "has 64 characters, at most 63 are allowed (shorten it)"),
        (lambda s: first(s)["nodes"][1].update(name="n" * 58), "has 58 characters, at most 57"),
        (lambda s: first(s).update(name="broker"), "'broker' names another place of every lab"),
        (lambda s: first(s).update(name="west"), "cluster name 'west' is taken by spec.clusters[0].name"),
        (lambda s: first(s)["nodes"][1].update(name="east-1"), "node name 'east-1' is taken by"),
        (lambda s: first(s)["nodes"][0].update(gateway=False), "cluster 'east' has no gateway node"),
        (
            lambda s: first(s).update(podCIDRs=["10.1.0.5/16"]),
            "podCIDRs[0]: '10.1.0.5/16' has host bits set (write 10.",
        ),
        (lambda s: first(s).update(podCIDRs=["10.1.0.0"]), "'10.1.0.0' has no prefix length"),
        (lambda s: first(s).update(podCIDRs=["10.1.0/16"]), "'10.1.0/16' is not an IP prefix"),
        (lambda s: first(s).update(podCIDRs=["10.1.0.0/33"]), "'10.1.0.0/33' is not an IP prefix"),
        (lambda s: first(s).update(podCIDRs=[]), "spec.clusters[0].podCIDRs: is empty"),
        (lambda s: first(s).update(plugin="overlays"), "plugin: 'overlays' is not allowed (did you mean overlay?)"),
        (
            lambda s: first(s)["podCIDRs"].append("fd10:1::/48"),
            "podCIDRs[1]: plugin 'bridge' cannot carry fd10:1::/48: the LAN has no IPv6 (add a range to nodeCIDRs, or",
        ),
        (lambda s: first(s)["serviceCIDRs"].append("fd11:1::/112"), "serviceCIDRs[1]: fd11:1::/112 needs pods of its"),
        (
            lambda s: first(s).update(plugin="overlay", podCIDRs=["fd10:1::/48"], serviceCIDRs=["fd11:1::/112"]),
            "serviceCIDRs[0]: fd11:1::/112 is the first range, where pods find their API, but the LAN has no IPv6",
        ),
        (
            lambda s: [s.update(wanCIDRs=["192.0.2.0/24"]), first(s)["nodeCIDRs"].append("fd01:1::/64")],
            "nodeCIDRs[1]: the WAN has no IPv6 for fd01:1::/64 (add a range to wanCIDRs)",
        ),
        (lambda s: first(s).update(podCIDRs=["fe80::/48"]), "contains addresses of fe80::/10, which are never routed"),
        (lambda s: first(s).update(podCIDRs=["::/0"]), "contains addresses of ::/8"),
        (lambda s: first(s).update(serviceCIDRs=["fd11:1::/64"]), "too large for services (use a length from /108 to"),
        (lambda s: first(s).update(podCIDRs=["127.0.0.0/16"]), "contains addresses of 127.0.0.0/8"),
        (lambda s: first(s)["podCIDRs"].append("10.3.0.0/16"), "podCIDRs[1]: is the second IPv4 range beside"),
        (lambda s: first(s).update(serviceCIDRs=["10.1.4.0/22"]), "serviceCIDRs[0]: 10.1.4.0/22 overlaps 10.1.0.0/16"),
        (
            lambda s: first(s).update(nodeCIDRs=["172.16.2.128/25"]),
            "overlaps 172.16.2.128/25 of spec.clusters[0].nodeC",
        ),
        (lambda s: first(s).update(podCIDRs=["192.0.0.0/16"]), "overlaps 192.0.2.0/24 of spec.wanCIDRs[0]"),
        (
            lambda s: first(s).update(podCIDRs=["172.16.2.0/24"]),
            "spec.clusters[1].nodeCIDRs[0]: 172.16.2.0/24 overlaps",
        ),
        (lambda s: first(s).update(podCIDRs=["10.1.0.0/30"]), "pod CIDR 10.1.0.0/30 is too small for 2 nodes"),
        (lambda s: first(s).update(nodeCIDRs=["172.16.1.0/29"]), "172.16.1.0/29 is too small for 2 nodes"),
        (lambda s: first(s).update(serviceCIDRs=["10.101.0.0/28"]), "too small for services (use a length from /12 to"),
        (lambda s: first(s).update(serviceCIDRs=["16.0.0.0/8"]), "too large for services"),
        (lambda s: first(s).update(globalCIDRs="100.64.0.0/16"), "globalCIDRs: '100.64.0.0/16' is not of type array"),
        (lambda s: first(s).update(globalCIDRs=["100.64.0.1/16"]), "globalCIDRs[0]: '100.64.0.1/16' has host bits set"),
        (lambda s: first(s).update(globalCIDRs=["224.0.0.0/8"]), "contains addresses of 224.0.0.0/3"),
        (
            lambda s: first(s).update(globalCIDRs=["100.64.0.0/16", "100.65.0.0/16"]),
            "globalCIDRs[1]: is the second IPv4 range beside spec.clusters[0].globalCIDRs[0]",
        ),
        (
            lambda s: first(s).update(globalCIDRs=["fd20::/64"]),
            "globalCIDRs[0]: fd20::/64 is of a family that podCIDRs lacks (use one that pods have)",
        ),
        (lambda s: s.update(wanCIDRs=["192.0.2.0/29"]), "spec.wanCIDRs[0]: 192.0.2.0/29 is too small for 2 sites"),
        *(
            (
                lambda s, period=period: first(s).update(kubelet=restarting(period)),
                "spec.clusters[0].kubelet.crashLoopBackOff.maxContainerRestartPeriod: ",
            )
            for period in ("0s", "301s", "1.5s", "5m", "5", "5s\n", 5)
        ),
        (lambda s: first(s).update(kubelet=restarting("9m")), "(mend it: 1s to 300s, in whole seconds; "),
        (lambda s: first(s).update(kubelet={"maxPods": 9}), "kubelet.maxPods: unknown key"),
        (lambda s: s.update(podsPerNode=True), "spec.podsPerNode: true is not of type integer"),
        (lambda s: s.update(podsPerNode=-1), "spec.podsPerNode"),
        (lambda s: s.update(clusters=[]), "spec.clusters: is empty"),
        (lambda s: s.update(clusters=None), "spec.clusters: null is not of type array"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_remedy(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    said = refusal(tmp_path, change)
    assert message in said
    assert all(line.startswith(f"{tmp_path}/two.yaml:") and line.endswith(")") for line in said.splitlines())


def test_pods_and_services_of_different_clusters_may_overlap(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    for key in ("podCIDRs", "serviceCIDRs"):
        data["spec"]["clusters"][1][key] = data["spec"]["clusters"][0][key]
    load_topology(write(tmp_path, data))


@pytest.mark.parametrize(
    ("written", "families"), [(None, ()), ([], (IPFamily.IPV4,)), (["242.0.0.0/16"], (IPFamily.IPV4,))], ids=str
)
def test_a_cluster_has_no_global_ranges_or_leaves_them_to_the_implementation_or_names_them(
    written: list[str] | None, families: tuple[IPFamily, ...], tmp_path: Path
) -> None:
    data = copy.deepcopy(VALID)
    if written is not None:
        first(data["spec"])["globalCIDRs"] = written
    east = load_topology(write(tmp_path, data)).cluster("east")
    assert east.global_cidrs == (None if written is None else tuple(map(IPv4Network, written)))
    assert east.is_translated is (written is not None)
    assert east.global_families == families


@pytest.mark.parametrize("taken", ["10.1.0.0/16", "10.102.0.0/16", "172.16.2.0/24", "100.64.0.0/16"])
def test_a_global_range_may_collide_with_anything(taken: str, tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    first(data["spec"])["globalCIDRs"] = [taken]
    data["spec"]["clusters"][1]["globalCIDRs"] = ["100.64.0.0/16"]
    load_topology(write(tmp_path, data))


def test_both_families_stand_in_the_order_of_the_file_and_the_wan_has_both(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    first(data["spec"])["podCIDRs"].append("fd10:1::/48")
    first(data["spec"])["nodeCIDRs"].append("fd01:1::/64")
    topology = load_topology(write(tmp_path, data))
    assert topology.cluster("east").families == (IPFamily.IPV4, IPFamily.IPV6)
    assert topology.wan_cidrs == (IPv4Network("192.0.2.0/24"), IPv6Network("2001:db8::/64"))


def test_an_overlay_carries_a_family_that_the_lan_lacks(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    first(data["spec"]).update(plugin="overlay", podCIDRs=["10.1.0.0/16", "fd10:1::/48"])
    topology = load_topology(write(tmp_path, data))
    assert topology.cluster("east").plugin is NetworkPlugin.OVERLAY
    assert topology.wan_cidrs == (IPv4Network("192.0.2.0/24"),)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        lambda s: [first(s).update(podCIDRs=["10.1.0.5/16"]), s["clusters"][1].update(serviceCIDRs=["nonsense"])],
    ).splitlines()
    assert ["podCIDRs" in said[0], "serviceCIDRs" in said[1]] == [True, True]
    assert [int(line.split(":")[1]) for line in said] == [9, 22]


def test_a_thousand_problems_are_counted_not_listed(tmp_path: Path) -> None:
    said = refusal(tmp_path, lambda s: first(s).update(podCIDRs=["x"] * 1000)).splitlines()
    assert len(said) == MAX_PROBLEMS + 1
    assert "980 more problems" in said[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "null is not of type object"),
        ("a: [", "mend the YAML"),
        ("a: 1\n---\nb: 2\n", "but found another document"),
        ("kind: Topology\nkind: Topology\n", "two.yaml:1: kind: stands twice in this mapping, again at line 2"),
        ("spec: &a {}\nother: *a\n", "anchors and aliases are not supported"),
        (
            "spec: !!python/object/apply:os.system [id]\n",
            "tag:yaml.org,2002:python/object/apply:os.system is not supported",
        ),
        ("yes: 1\n", "yes: is a key that is no text (quote it)"),
        ("? [a]\n: 1\n", "is a key that is no text"),
        ("a: !!int x\n", "invalid literal for int"),
        ("a: \x00\n", "two.yaml"),
        ("[" * 200 + "]" * 200, f"nested deeper than {documents.MAX_DEPTH}"),
    ],
)
def test_what_is_no_plain_yaml_document_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError) as refused:
        load_topology(write(tmp_path, text))
    assert message in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"gone\.yaml: cannot be read: No such file"):
        load_topology(tmp_path / "gone.yaml")


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    with pytest.raises(InvalidFileError, match="is larger than 100 bytes"):
        load_topology(write(tmp_path, VALID))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_bytes(b"\xff\xfe\xfd\x80")
    with pytest.raises(InvalidFileError):
        load_topology(path)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    assert file_digest(write(tmp_path, "a: 1\n")) == hashlib.sha256(b"a: 1\n").hexdigest()


yaml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 300) | st.text(max_size=8) | st.sampled_from(["10.0.0.0/8", "::/0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from(
    [
        ("metadata",),
        ("spec",),
        ("spec", "clusters"),
        ("spec", "clusters", 0),
        ("spec", "clusters", 0, "podCIDRs"),
        ("spec", "clusters", 0, "nodes"),
        ("spec", "clusters", 0, "nodes", 0),
        ("spec", "wanCIDRs"),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(places, yaml_values)
def test_whatever_stands_in_a_field_is_a_topology_or_a_message(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    data: Any = copy.deepcopy(VALID)
    holder = data
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    message = ""
    try:
        load_topology(write(tmp_path, data))
    except InvalidFileError as refused:
        message = str(refused)
    assert all(line.startswith(str(tmp_path)) for line in message.splitlines())
