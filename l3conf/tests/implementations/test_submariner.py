"""Submariner's hooks, against a stand-in for subctl that answers as its source says; never against the real one."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from l3conf.adapter import HookResult, HookRunner
from l3conf.adapter.broker_access import read_broker_access
from l3conf.errors import HookFailedError
from l3conf.implementations.submariner.commands import last_words, reported_version
from l3conf.model.implementation import Verb
from l3conf.spec.baseline_file import load_baseline
from l3conf.spec.files import load_implementation
from l3conf.tests.implementations import stub_subctl
from l3conf.tests.implementations.paper import CONTRACT, FOLDER, Stage, cluster, stage


@pytest.fixture
def two(tmp_path: Path) -> Stage:
    return stage(tmp_path, cluster("east", 1), cluster("west", 2))


def join_call(name: str, place: str, pods: str, services: str) -> list[str]:
    words = f"join broker-info.subm --kubeconfig {place} --clusterid {name} --label-gateway=false"
    return f"{words} --clustercidr {pods} --servicecidr {services} --globalnet=false".split()


def test_a_whole_run_asks_subctl_for_what_its_documentation_says(two: Stage, tmp_path: Path) -> None:
    two.run(Verb.DEPLOY)
    answer = two.run(Verb.JOIN, "east")
    two.run(Verb.JOIN, "west")
    two.run(Verb.LEAVE, "east")
    two.run(Verb.REMOVE)
    east, west, broker = (str(tmp_path / f"{name}.kubeconfig") for name in ("east", "west", "broker"))
    calls = two.calls()
    assert [*calls[:-3], *sorted(calls[-3:-1]), calls[-1]] == [
        ["deploy-broker", "--kubeconfig", broker, "--broker-url", "https://192.0.2.2:6443"],
        join_call("east", east, "10.1.0.0/16", "10.101.0.0/16"),
        join_call("west", west, "10.2.0.0/16", "10.102.0.0/16"),
        ["uninstall", "--kubeconfig", east, "--yes"],
        *(["uninstall", "--kubeconfig", place, "--yes"] for place in (east, west, broker)),
    ]
    assert two.calls("kubectl")[0] == [
        *("--kubeconfig", east, "label", "node", "east-1", "submariner.io/gateway=true", "--overwrite")
    ]
    access = read_broker_access(answer)
    assert access is not None
    assert (access.namespace, access.secret) == (
        "submariner-k8s-broker",
        ("submariner-operator", "submariner-broker-secret"),
    )


def test_a_verb_that_does_not_exist_is_refused(two: Stage) -> None:
    two.runner.check_canary(two.request, random.Random(1))  # noqa: S311 - the verb is no secret


def test_deploying_again_keeps_the_key_of_the_members(two: Stage) -> None:
    two.run(Verb.DEPLOY)
    two.run(Verb.JOIN, "east")
    two.run(Verb.DEPLOY)
    two.run(Verb.JOIN, "west")
    keys = {(two.state / f"psk-of-{name}").read_text(encoding="utf-8") for name in ("east", "west")}
    assert len(keys) == 1


def test_global_addresses_are_asked_for_where_the_request_has_them(tmp_path: Path) -> None:
    clusters = (
        cluster("east", 1, global_cidrs=("100.64.0.0/18",)),
        cluster("west", 1, global_cidrs=()),
        cluster("north", 3),
    )
    three = stage(tmp_path, *clusters)
    three.run(Verb.DEPLOY)
    for name in ("east", "west", "north"):
        three.run(Verb.JOIN, name)
    deploy, *joins = three.calls()
    assert "--globalnet" in deploy
    assert [[word for word in call if "globalnet" in word or "/18" in word] for call in joins] == [
        ["--globalnet-cidr", "100.64.0.0/18"],
        [],
        ["--globalnet=false"],
    ]


def test_a_cluster_that_may_use_one_driver_joins_with_it(tmp_path: Path) -> None:
    only = stage(tmp_path, replace(cluster("east", 1), cable_drivers=(1,)))
    only.run(Verb.DEPLOY)
    only.run(Verb.JOIN, "east")
    assert only.calls()[-1][-3:] == ["--cable-driver", "wireguard", "--globalnet=false"]


def test_a_cluster_without_ipv4_is_refused_with_the_reason(tmp_path: Path) -> None:
    only = stage(tmp_path, cluster("east", 1, pods="fd00:1::/48"))
    only.run(Verb.DEPLOY)
    with pytest.raises(HookFailedError, match="podCIDRs of east holds no IPv4 range"):
        only.run(Verb.JOIN, "east")


def test_a_name_that_is_taken_is_refused_in_subctls_own_words(two: Stage) -> None:
    two.run(Verb.DEPLOY)
    two.run(Verb.JOIN, "east")
    with pytest.raises(HookFailedError, match="Detected an existing joined cluster with the same ID"):
        two.run(Verb.JOIN, "east", posing="west")


def test_leaving_and_removing_succeed_where_nothing_is_installed(two: Stage) -> None:
    two.run(Verb.LEAVE, "east")
    two.run(Verb.REMOVE)
    two.run(Verb.REMOVE)


def test_a_failure_is_told_by_the_line_that_says_why(two: Stage) -> None:
    two.trouble(fails="deploy-broker")
    with pytest.raises(HookFailedError, match="ended with 1: Error deploying the operator: the server has asked"):
        two.run(Verb.DEPLOY)


def test_removal_goes_on_after_a_failure_and_names_what_is_left(two: Stage, tmp_path: Path) -> None:
    two.run(Verb.DEPLOY)
    two.run(Verb.JOIN, "east")
    two.run(Verb.JOIN, "west")
    two.trouble(fails="uninstall", where="east.kubeconfig")
    with pytest.raises(HookFailedError, match=r"uninstall ended with 1.*; .*keeping the broker components"):
        two.run(Verb.REMOVE)
    places = [call[2] for call in two.calls()[-3:]]
    assert [*sorted(places[:2]), places[2]] == [
        str(tmp_path / f"{name}.kubeconfig") for name in ("east", "west", "broker")
    ], "members at the same time, then the broker"
    two.trouble()
    two.run(Verb.REMOVE)


def test_a_program_that_hangs_is_ended_and_named_before_the_hook_is(two: Stage) -> None:
    two.run(Verb.DEPLOY)
    two.trouble(hangs="join")
    began = time.monotonic()
    with pytest.raises(HookFailedError, match=r"subctl join did not end in time and was killed; before: . Deploying"):
        two.with_environment(SUBMARINER_SECONDS="8").run(Verb.JOIN, "east")
    assert time.monotonic() - began < 40, "it was not waited for"


def test_a_question_is_answered_by_nobody_and_holds_nothing_up(two: Stage) -> None:
    """Nothing that the hooks call asks; were the label missing, subctl would."""
    two.run(Verb.DEPLOY)
    Path(two.runner.implementation.hook_env["SUBMARINER_KUBECTL"]).write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    asking = two.with_environment(SUBMARINER_JOIN_ARGUMENTS="--label-gateway=true")
    with pytest.raises(HookFailedError, match="subctl join ended with 1: EOF"):
        asking.run(Verb.JOIN, "east")


@pytest.mark.parametrize(
    ("version", "message"), [("v0.17.3", "is subctl 0.17.3, not 0.18.1"), ("devel", "is subctl devel, not 0.18.1")]
)
def test_a_subctl_of_another_version_is_refused(two: Stage, version: str, message: str) -> None:
    two.trouble(version=version)
    with pytest.raises(HookFailedError, match=message):
        two.run(Verb.DEPLOY)


def test_an_upgrade_is_done_by_the_subctl_of_that_version(two: Stage, tmp_path: Path) -> None:
    two.trouble(version="v0.19.0")
    two.run(Verb.UPGRADE, "east", version="v0.19.0")
    two.run(Verb.UPGRADE, version="v0.19.0")
    assert two.calls() == [
        f"upgrade --kubeconfig {tmp_path}/{name}.kubeconfig --context the-context --to-version 0.19.0".split()
        for name in ("east", "broker")
    ]
    two.trouble()
    with pytest.raises(HookFailedError, match=r"is subctl 0\.18\.1, not 0\.19\.0"):
        two.run(Verb.UPGRADE, "east", version="v0.19.0")


def test_what_is_gathered_lies_in_a_folder_a_cluster(two: Stage, tmp_path: Path) -> None:
    two.run(Verb.GATHER)
    found = sorted(path.relative_to(tmp_path / "work") for path in (tmp_path / "work").rglob("summary.html"))
    assert [str(path) for path in found] == [
        f"gather/{name}/the-context/summary.html" for name in ("broker", "east", "west")
    ]


def test_a_machine_without_subctl_is_told_so(two: Stage) -> None:
    Path(two.runner.implementation.hook_env["SUBMARINER_SUBCTL"]).unlink()
    with pytest.raises(HookFailedError, match="No such file or directory; install it, or name it"):
        two.run(Verb.DEPLOY)


def test_the_folder_may_be_copied(two: Stage, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "submariner"
    shutil.copytree(FOLDER, copy)
    implementation = replace(two.runner.implementation, path=copy / "impl.yaml")
    runner = HookRunner(implementation, log_directory=tmp_path / "more-logs", grace=0.2)
    assert isinstance(runner.run(Verb.DEPLOY, two.request), HookResult)


def test_the_stand_in_knows_no_flag_that_subctl_lacks() -> None:
    join = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["commands"]["join"]
    with pytest.raises(stub_subctl.FailedError, match="unknown flag: --wait"):
        stub_subctl.parse(join, ["broker-info.subm", "--wait"])
    assert stub_subctl.parse(join, ["x", "--natt=false", "--clusterid", "east"]) == (
        {"natt": "false", "clusterid": "east"},
        ["x"],
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([" ✓ Deploying\n", " ✗ no rights\n", "\n", "subctl version: v0.18.1\n", "\n"], "no rights"),
        (["Error: unknown flag: --x\n"], "Error: unknown flag: --x"),
        (["subctl version: v0.18.1\n"], "it printed nothing"),
    ],
)
def test_the_reason_is_found_in_what_subctl_prints(lines: list[str], said: str) -> None:
    assert last_words(lines) == said


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(Exception, match="instead of a version"):
        reported_version("bash: subctl: command not found")


def test_the_baseline_is_about_this_version_and_loads() -> None:
    implementation, baseline = load_implementation(FOLDER / "impl.yaml"), load_baseline(FOLDER / "baseline.yaml")
    assert (baseline.name, baseline.version) == (implementation.name, implementation.version)
    assert implementation.version == implementation.hook_env["SUBMARINER_VERSION"]
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    assert contract["version"] == f"v{implementation.version}"
