from __future__ import annotations

import os
import random
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from l3conf.adapter import HookCall, HookRequest, HookResult, HookRunner, HookUnavailable
from l3conf.adapter.hooks import OUTPUT_LIMIT
from l3conf.adapter.requests import certificate_authority_data
from l3conf.errors import HookFailedError, HookProtocolError, HookTimeoutError, InvalidFileError, LabError
from l3conf.labs.base import ClusterAccess
from l3conf.model.implementation import Implementation, Verb

if TYPE_CHECKING:
    from l3conf.labs.base import Lab
    from l3conf.tests.adapter.conftest import MakeRunner, PaperLab


def test_a_hook_reads_its_request_and_answers_with_an_object(make_runner: MakeRunner, request_: HookRequest) -> None:
    runner = make_runner('printf \'{"read": %s, "verb": "%s"}\' "$(cat)" "$1"')
    result = runner.run(Verb.JOIN, request_)
    assert isinstance(result, HookResult)
    assert result.output["verb"] == "join"
    assert result.output["read"] == request_.to_json("join")


def test_a_request_names_credentials_by_path_only(request_: HookRequest, tmp_path: Path) -> None:
    assert request_.to_json("join") == {
        "apiVersion": "l3conf.io/v1alpha1",
        "verb": "join",
        "clusterSet": "paper",
        "broker": {
            "name": "broker",
            "kubeconfig": str(tmp_path / "broker.kubeconfig"),
            "server": "https://192.0.2.2:6443",
            "certificateAuthorityData": "Q0E=",
        },
        "clusters": [
            {
                "name": "east",
                "kubeconfig": "/secret/east.kubeconfig",
                "podCIDRs": ["10.1.0.0/16"],
                "serviceCIDRs": ["10.101.0.0/16"],
                "nodes": ["east-1", "east-2"],
                "gatewayNodes": ["east-1"],
            }
        ],
        "cluster": "east",
        "version": None,
        "workDirectory": str(tmp_path / "work"),
    }


def test_a_certificate_authority_kept_in_a_file_is_sent_along(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("CA", encoding="utf-8")
    (tmp_path / "config").write_text("clusters: [{cluster: {certificate-authority: ca.pem}}]", encoding="utf-8")
    assert certificate_authority_data(tmp_path / "config") == "Q0E="


def test_a_broker_without_a_readable_kubeconfig_is_a_fault_of_the_lab(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no cluster can be read"):
        certificate_authority_data(tmp_path / "missing")


def test_nothing_printed_stands_for_an_empty_object(make_runner: MakeRunner, request_: HookRequest) -> None:
    assert make_runner("exit 0").run(Verb.DEPLOY, request_) == HookResult(verb="deploy", output={})


@pytest.mark.parametrize("printed", ["[]", '"done"', "done", "{} {}", "\\377"])
def test_output_that_is_not_one_object_is_a_protocol_error(
    make_runner: MakeRunner, request_: HookRequest, printed: str
) -> None:
    with pytest.raises(HookProtocolError, match="hook deploy of scripted: printed something that is not one JSON"):
        make_runner(f"printf '{printed}'").run(Verb.DEPLOY, request_)


def test_output_without_end_is_cut_off(make_runner: MakeRunner, request_: HookRequest) -> None:
    with pytest.raises(HookProtocolError, match=f"more than {OUTPUT_LIMIT} bytes"):
        make_runner("exec yes", timeout=30).run(Verb.DEPLOY, request_)


def test_exit_code_127_means_unavailable(make_runner: MakeRunner, request_: HookRequest) -> None:
    answer = make_runner("exit 127").run(Verb.LEAVE, request_)
    assert answer == HookUnavailable(verb="leave", reason="hook leave answered 127")


def test_a_verb_that_is_not_declared_is_not_called(
    make_runner: MakeRunner, request_: HookRequest, calls: list[HookCall]
) -> None:
    answer = make_runner("exit 0").run(Verb.GATHER, request_)
    assert answer == HookUnavailable(verb="gather", reason="impl.yaml declares no gather")
    assert calls == []


def test_a_failure_quotes_the_last_line_of_the_log(make_runner: MakeRunner, request_: HookRequest) -> None:
    with pytest.raises(HookFailedError, match=r"exit code 3: no such namespace \(its log is .*01-deploy-east\.log\)"):
        make_runner("echo starting >&2; echo no such namespace >&2; exit 3").run(Verb.DEPLOY, request_)


def test_a_hook_that_hangs_is_ended_at_its_deadline(
    make_runner: MakeRunner, request_: HookRequest, calls: list[HookCall]
) -> None:
    with pytest.raises(HookTimeoutError, match=r"still running after 0\.2 s"):
        make_runner("sleep 60", timeout=0.2).run(Verb.DEPLOY, request_)
    assert calls[0].timed_out


def test_a_hook_that_ignores_sigterm_is_killed_with_its_children(
    make_runner: MakeRunner, request_: HookRequest, tmp_path: Path
) -> None:
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; while :; do wait; done"
    child = tmp_path / "child"
    for timeout in (0.2, 2, 20):  # seconds that a shell may need to come that far
        with pytest.raises(HookTimeoutError):
            make_runner(script, timeout=timeout).run(Verb.DEPLOY, request_)
        if child.exists() and child.read_text().endswith("\n"):
            break
    assert not _alive(int(child.read_text()))


def test_a_child_that_left_the_session_and_holds_the_pipe_does_not_hold_up_the_run(
    make_runner: MakeRunner, request_: HookRequest, calls: list[HookCall], tmp_path: Path
) -> None:
    child = tmp_path / "child"
    script = f"setsid sh -c 'echo $$ > {child}; exec sleep 60' & while [ ! -s {child} ]; do :; done; echo '{{}}'"
    assert make_runner(script, timeout=30).run(Verb.DEPLOY, request_) == HookResult(verb="deploy")
    assert calls[0].strays == 1
    assert not calls[0].timed_out
    assert not _alive(int(child.read_text()))


def test_hooks_see_a_minimal_environment_and_their_own_folder(
    make_runner: MakeRunner, request_: HookRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somewhere/private")
    runner = make_runner('printf \'{"colour": "%s", "config": "%s", "folder": "%s"}\' "$COLOUR" "$KUBECONFIG" "$PWD"')
    result = runner.run(Verb.DEPLOY, request_)
    assert isinstance(result, HookResult)
    assert result.output == {"colour": "blue", "config": "", "folder": str(tmp_path)}


def test_the_canary_wants_127(make_runner: MakeRunner, request_: HookRequest, calls: list[HookCall]) -> None:
    make_runner("exit 127").check_canary(request_, random.Random(1))  # noqa: S311 - chooses a name
    assert calls[0].verb.startswith("canary-")


@pytest.mark.parametrize("code", [0, 1, 2])
def test_hooks_that_answer_to_anything_are_not_believed(
    make_runner: MakeRunner, request_: HookRequest, code: int
) -> None:
    with pytest.raises(HookProtocolError, match=f"a verb that does not exist .* exit code {code}"):
        make_runner(f"exit {code}").check_canary(request_, random.Random(1))  # noqa: S311 - chooses a name


def test_a_command_that_does_not_exist_names_the_file(tmp_path: Path, request_: HookRequest) -> None:
    implementation = Implementation(
        name="none",
        version="0",
        path=tmp_path / "impl.yaml",
        command=("no-such-program",),
        verbs=frozenset({Verb.DEPLOY}),
    )
    with pytest.raises(InvalidFileError, match=r"impl\.yaml: hook command 'no-such-program' cannot be started"):
        HookRunner(implementation, log_directory=tmp_path).run(Verb.DEPLOY, request_)


def test_a_hook_need_not_read_its_request(make_runner: MakeRunner, request_: HookRequest) -> None:
    assert make_runner("exec <&-; exit 0").run(Verb.JOIN, request_) == HookResult(verb="join")


def _alive(pid: int) -> bool:
    """Whether a process still runs; a zombie that waits for init does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123 - procfs
            return stat.read().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return os.path.exists(f"/proc/{pid}")  # noqa: PTH110 - procfs


def test_a_revocation_gives_no_access_to_the_one_that_is_revoked(request_: HookRequest) -> None:
    assert request_.to_json("revoke")["cluster"] == "east"
    assert request_.to_json("revoke")["clusters"] == []


def test_a_cluster_under_anothers_name_is_told_of_in_its_place(request_: HookRequest, tmp_path: Path) -> None:
    east = request_.lab.topology.clusters[0]
    west = replace(east, name="west")
    access = {
        **request_.lab.clusters,
        "west": ClusterAccess(name="west", kubeconfig=Path("/secret/west.kubeconfig")),
    }
    lab = replace(
        cast("PaperLab", request_.lab), topology=replace(request_.lab.topology, clusters=(east, west)), clusters=access
    )
    posing = HookRequest(lab=cast("Lab", lab), work_directory=tmp_path, cluster="east", posing="west")
    told = cast("list[dict[str, object]]", posing.to_json("join")["clusters"])
    assert [(one["name"], one["kubeconfig"]) for one in told] == [("east", "/secret/west.kubeconfig")]


def test_hooks_are_given_credentials_of_their_own_where_there_are_some(request_: HookRequest) -> None:
    """They install; the suite looks. Where clusters are other people's these are different rights."""
    lab = request_.lab
    own = {
        name: replace(access, hook_kubeconfig=Path("/secret/operator.kubeconfig"))
        for name, access in lab.clusters.items()
    }
    asked = replace(request_, lab=cast("Lab", replace(cast("PaperLab", lab), clusters=own)))
    (told,) = cast("list[dict[str, object]]", asked.to_json("join")["clusters"])
    assert told["kubeconfig"] == "/secret/operator.kubeconfig"


def test_a_cluster_may_use_the_drivers_that_the_topology_means_in_its_order(request_: HookRequest) -> None:
    def told(wanted: tuple[int, ...], known: tuple[str, ...]) -> object:
        east = replace(request_.lab.topology.clusters[0], cable_drivers=wanted)
        lab = replace(cast("PaperLab", request_.lab), topology=replace(request_.lab.topology, clusters=(east,)))
        asked = replace(request_, lab=cast("Lab", lab), cable_drivers=known)
        return cast("list[dict[str, object]]", asked.to_json("join")["clusters"])[0].get("cableDrivers")

    assert told((1, 0), ("libreswan", "vxlan")) == ["vxlan", "libreswan"]
    assert told((1,), ("libreswan", "vxlan")) == ["vxlan"]
    assert told((), ("libreswan", "vxlan")) is None
    assert told((0, 1), ()) is None


def test_a_hook_is_told_of_global_ranges_only_where_a_cluster_shall_have_global_addresses(
    request_: HookRequest,
) -> None:
    def told(ranges: tuple[IPv4Network, ...] | None) -> dict[str, object]:
        east = replace(request_.lab.topology.clusters[0], global_cidrs=ranges)
        lab = replace(cast("PaperLab", request_.lab), topology=replace(request_.lab.topology, clusters=(east,)))
        return cast("list[dict[str, object]]", replace(request_, lab=cast("Lab", lab)).to_json("join")["clusters"])[0]

    assert "globalCIDRs" not in told(None)
    assert told(())["globalCIDRs"] == []
    assert told((IPv4Network("100.64.1.0/24"),))["globalCIDRs"] == ["100.64.1.0/24"]
