"""What is removed of labs, as laws: all that is ours and dead, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.labs.kind.leftovers import Present, judge

OWNER = "machine:boot:1"
MANAGED = {"app.kubernetes.io/managed-by": "l3conf"}
labs = st.sampled_from(["00000001", "00000002"])
owners = st.sampled_from([OWNER, "machine:earlier:1", "elsewhere:boot:1", "machine:boot:2", ""])
CERTAIN = {OWNER, "machine:earlier:1"}


def labels(lab: str, owner: str, cluster: str = "") -> dict[str, str]:
    own = {**MANAGED, "l3conf.io/lab": lab, "l3conf.io/owner": owner}
    return own | ({"l3conf.io/kind-cluster": cluster} if cluster else {})


@st.composite
def engines(draw: st.DrawFn) -> tuple[list[Present], list[Present], list[Present]]:
    """Draw containers of labs, their networks, and nodes of kind on these and on others."""
    containers = [
        Present(id=f"c{index}", name=f"c{index}", labels=labels(draw(labs), draw(owners)))
        for index in range(draw(st.integers(0, 4)))
    ]
    networks = []
    for index in range(draw(st.integers(0, 4))):
        lab = draw(labs)
        cluster = draw(st.sampled_from([f"l3conf-{lab}-east", "production", ""]))
        networks.append(Present(id=f"n{index}", name=f"n{index}", labels=labels(lab, draw(owners), cluster)))
    names = st.sampled_from(["l3conf-00000001-east", "l3conf-00000002-east", "production", "kind"])
    nodes = [
        Present(
            id=f"k{index}",
            name=f"k{index}",
            labels={"io.x-k8s.kind.cluster": draw(names)},
            on=tuple(draw(st.lists(st.sampled_from(["n0", "n1", "n2", "n3", "kind"]), max_size=1))),
        )
        for index in range(draw(st.integers(0, 5)))
    ]
    return containers, networks, nodes


@given(engines())
def test_nothing_of_others_and_nothing_that_may_live_is_removed(
    found: tuple[list[Present], list[Present], list[Present]],
) -> None:
    containers, networks, nodes = found
    left = judge(*found, owner=OWNER)
    for one in (*containers, *networks):
        if one.labels["l3conf.io/owner"] not in CERTAIN:
            assert one.name not in {*left.containers, *left.networks}
    for one in nodes:
        if one.labels["io.x-k8s.kind.cluster"] in {"production", "kind"}:
            assert one.name not in left.containers, "a label of ours that names somebody's cluster removes nothing"


@given(engines())
def test_everything_that_is_dead_is_removed(found: tuple[list[Present], list[Present], list[Present]]) -> None:
    containers, networks, nodes = found
    left = judge(*found, owner=OWNER)
    dead = [one for one in (*containers, *networks) if one.labels["l3conf.io/owner"] in CERTAIN]
    assert {one.name for one in dead} <= {*left.containers, *left.networks}
    for network in networks:
        cluster = network.labels.get("l3conf.io/kind-cluster", "")
        if network in dead and cluster == f"l3conf-{network.labels['l3conf.io/lab']}-east":
            own = [one for one in nodes if one.on == (network.name,) and one.labels["io.x-k8s.kind.cluster"] == cluster]
            assert {one.name for one in own} <= {*left.containers}


@given(engines(), labs)
def test_a_lab_is_spared_or_meant_alone(found: tuple[list[Present], list[Present], list[Present]], lab: str) -> None:
    containers, networks, _ = found
    own = {one.name for one in (*containers, *networks) if one.labels["l3conf.io/lab"] == lab}
    spared = judge(*found, owner=OWNER, spared=lab)
    assert not own & {*spared.containers, *spared.networks}
    only = judge(*found, owner=OWNER, only=lab)
    assert {name for name in (*only.containers, *only.networks) if name[0] != "k"} <= own


@given(engines(), labs)
def test_a_lab_that_is_named_is_removed_wherever_it_was_made(
    found: tuple[list[Present], list[Present], list[Present]], lab: str
) -> None:
    containers, networks, _ = found
    own = {one.name for one in (*containers, *networks) if one.labels["l3conf.io/lab"] == lab}
    left = judge(*found, owner=OWNER, named=lab)
    assert own <= {*left.containers, *left.networks}
    assert not any(line.startswith(f"lab {lab}") for line in left.kept)


def test_a_node_that_is_crashed_is_on_no_network_and_goes_with_its_cluster() -> None:
    network = Present(id="n", name="n", labels=labels("00000001", OWNER, "l3conf-00000001-east"))
    node = Present(id="k", name="k", labels={"io.x-k8s.kind.cluster": "l3conf-00000001-east"})
    assert judge([], [network], [node], owner=OWNER).containers == ("k",)
