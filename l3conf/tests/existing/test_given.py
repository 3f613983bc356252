"""What callers give: contexts, ranges, kubeconfigs."""

from __future__ import annotations

import stat
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from l3conf.errors import UserError
from l3conf.labs.existing.ground import check_reachable, open_context
from l3conf.labs.existing.kubeconfig import only, read_kubeconfig, server_of, write_private
from l3conf.labs.existing.options import settings
from l3conf.labs.existing.settings import ExistingSettings, contexts_of, ranges


def test_contexts_may_be_named_and_given_in_one_word_or_several() -> None:
    given = ExistingSettings(contexts=("east=arn:aws:eks/prod,kind-west", "third"))
    assert given.named_contexts == (("east", "arn:aws:eks/prod"), ("", "kind-west"), ("", "third"))


@pytest.mark.parametrize("contexts", [(), ("east",), ("east,east",), ("a=east,b=east",)])
def test_fewer_than_two_clusters_are_refused(contexts: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="--contexts"):
        _ = ExistingSettings(contexts=contexts).named_contexts


@pytest.mark.parametrize("contexts", [("east=a,east=b",), ("east=a", "east")])
def test_two_clusters_of_one_name_are_refused(contexts: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="two clusters are called 'east'"):
        _ = ExistingSettings(contexts=contexts).named_contexts


def test_one_context_may_be_cleaned_and_none_is_a_mistake() -> None:
    assert contexts_of(("east=arn:aws:eks/prod=1",)) == (("east", "arn:aws:eks/prod=1"),)
    for nothing in ((), (",",)):
        with pytest.raises(UserError, match="0 clusters were named"):
            contexts_of(nothing)
    with pytest.raises(UserError, match="'east=' names no context"):
        contexts_of(("west,east=",))


def test_settings_survive_the_way_through_a_command_line() -> None:
    given = ExistingSettings(
        contexts=("a", "b"),
        kubeconfig=Path("/k"),
        probe_image="registry.example/probe:v2",
        installed=True,
        pod_cidrs=("a=10.0.0.0/8",),
    )
    words = given.words()
    assert words.count("--contexts") == 2
    assert "--installed" in words
    assert "--host-network" not in words
    assert "--hook-kubeconfig" not in words
    again = settings(
        contexts=("a", "b"),
        kubeconfig=Path("/k"),
        probe_image="registry.example/probe:v2",
        installed=True,
        host_network=False,
        broker_context="",
        pod_cidrs=("a=10.0.0.0/8",),
        of_others="left out",
    )
    assert again == given


def test_ranges_are_read_by_cluster() -> None:
    assert ranges(["east=10.1.0.0/16, fd01::/48"], "--pod-cidrs") == {
        "east": (ip_network("10.1.0.0/16"), ip_network("fd01::/48"))
    }


@pytest.mark.parametrize("text", ["10.1.0.0/16", "east=10.1.0.0/8", "east=", "east=here"])
def test_a_range_that_is_none_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(UserError, match="--pod-cidrs"):
        ranges([text], "--pod-cidrs")


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://localhost", "https://[::1]:6443"])
def test_a_broker_at_an_address_of_this_machine_is_reached_by_no_pod(server: str) -> None:
    with pytest.raises(UserError, match="--broker-server"):
        check_reachable(server)
    check_reachable("https://192.0.2.2:6443")


def config(context: str, **cluster: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    return {
        "clusters": [{"name": f"{context}-c", "cluster": {"server": f"https://{context}", **cluster}}],
        "users": [{"name": "me", "user": {"token": f"secret of {context}"}}],
        "contexts": [{"name": context, "context": {"cluster": f"{context}-c", "user": "me"}}],
        "current-context": context,
    }


def written(path: Path, content: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def test_files_are_merged_as_kubectl_does_and_the_first_entry_of_a_name_counts(tmp_path: Path) -> None:
    paths = [written(tmp_path / name / "config", config(name)) for name in ("east", "west")]
    merged = read_kubeconfig(None, {"KUBECONFIG": f"{paths[0]}:{tmp_path}/missing:{paths[1]}"})
    west = only(merged, "west")
    assert server_of(west) == "https://west"
    assert west["users"][0]["user"]["token"] == "secret of east"


def test_only_what_a_context_needs_leaves_a_kubeconfig(tmp_path: Path) -> None:
    both = config("east")
    both["users"].append({"name": "admin", "user": {"token": "the administrator's"}})
    one = only(read_kubeconfig(written(tmp_path / "config", both), {}), "east")
    assert [user["name"] for user in one["users"]] == ["me"]
    path = write_private(tmp_path / "one", one)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text())["current-context"] == "east"


def test_files_that_a_kubeconfig_names_are_found_from_anywhere(tmp_path: Path) -> None:
    path = written(tmp_path / "dir" / "config", config("east", **{"certificate-authority": "ca.pem"}))
    one = only(read_kubeconfig(path, {}), "east")
    assert one["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "dir" / "ca.pem")


def test_an_unknown_context_is_told_which_there_are(tmp_path: Path) -> None:
    known = read_kubeconfig(written(tmp_path / "config", config("east")), {})
    with pytest.raises(UserError, match=r"no context 'north'.*has: east"):
        only(known, "north")


@pytest.mark.parametrize(
    ("section", "entry", "said"),
    [
        ("contexts", {"name": "east"}, "the context 'east' of context 'east' says nothing"),
        ("clusters", {"name": "east-c", "cluster": {}}, "has no server"),
        ("clusters", {"name": "east-c"}, "the cluster 'east-c'"),
        ("users", {"name": "me", "user": None}, "the user 'me'"),
        ("users", {"name": "somebody", "user": {}}, "a cluster or user that is not there"),
    ],
)
def test_a_context_that_is_not_whole_is_refused(tmp_path: Path, section: str, entry: dict[str, Any], said: str) -> None:
    broken = {**config("east"), section: [entry]}
    with pytest.raises(UserError, match=said):
        only(read_kubeconfig(written(tmp_path / "config", broken), {}), "east")


@pytest.mark.parametrize(
    "given", [{"client-certificate-data": "zzz", "client-key-data": "zzz"}, {"client-key": "/none"}]
)
def test_credentials_that_are_none_are_the_callers_mistake(tmp_path: Path, given: dict[str, str]) -> None:
    broken = {**config("east"), "users": [{"name": "me", "user": {"client-certificate": "/none", **given}}]}
    one = only(read_kubeconfig(written(tmp_path / "config", broken), {}), "east")
    with pytest.raises(UserError, match="context 'east' cannot be used"):
        open_context("east", write_private(tmp_path / "one", one))


@pytest.mark.parametrize("content", ["- a list\n", "contexts: 3\n", "a: [\n"])
def test_a_file_that_is_no_kubeconfig_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(UserError, match=re_escape(path)):
        read_kubeconfig(path, {})


def re_escape(path: Path) -> str:
    return str(path).replace(".", r"\.")


def test_no_kubeconfig_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no kubeconfig"):
        read_kubeconfig(None, {"KUBECONFIG": str(tmp_path / "none")})
