"""What ``new-implementation`` writes works, and so does the page that goes on from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.cli.main import run_command
from l3conf.implementations.template import agent, hooks
from l3conf.spec.files import load_implementation

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "certify-your-implementation.md"
_BLOCK = re.compile(r"^```sh *(?P<words>[^\n]*)\n(?P<script>.*?)^```", re.DOTALL | re.MULTILINE)


def blocks() -> Iterator[tuple[str, int]]:
    """Yield the scripts of the page and what they end with."""
    for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["words"] != "not-run":
            yield block["script"], int(block["words"].removeprefix("exit=") or 0)


@pytest.mark.timeout(900)
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """On labs: an implementation of two pages joins two clusters and passes L3-F1, F2 and M1; L3-K7 it fails."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = list(blocks())
    assert len(found) >= 8
    for script, expected in found:
        done = subprocess.run(
            ["bash", "-euc", script],  # noqa: S607 - the shell of whoever reads the page
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == expected, f"{script}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert {row["id"]: row["verdict"] for row in report["rows"]}["L3-K7"] == "fail"


def test_names_are_put_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "impl"
    words = ["--name", "far-link", "--organization", 'O\'Neil: "Links"', "--url", "https://far.example"]
    assert run_command(["new-implementation", str(folder), *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert "__init__.py" not in told["files"]
    implementation = load_implementation(folder / "impl.yaml")
    assert (implementation.name, implementation.organization) == ("far-link", 'O\'Neil: "Links"')
    assert implementation.url == "https://far.example"
    assert implementation.images[0].name == "example.com/far-link/agent:*"
    assert not [path for path in folder.rglob("*.*") if "mylink" in path.read_text(encoding="utf-8")]
    assert [path.name for path in folder.parent.iterdir()] == ["impl"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "My Link"], "--name: 'My Link' is no name"),
        (["--name", "x", "--url", "far.example"], "--url: 'far.example' is no address"),
        (["--name", "x"], "is there already (give a new or an empty folder)"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (tmp_path / "file").touch()
    assert run_command(["new-implementation", str(tmp_path), "--organization", "X", *words]) == 3
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_empty_folder_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "impl").mkdir()
    assert run_command(["new-implementation", str(tmp_path / "impl"), "--name", "x", "--organization", "X"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Try it: l3conf run L3-F1 --impl")


NODES = st.sampled_from(["172.16.1.10", "172.16.1.11", "172.16.2.10"])
PEERS = st.dictionaries(st.sampled_from(["10.1.0.0/24", "10.1.1.0/24", "10.101.0.0/16"]), NODES)


@given(wanted=PEERS, there=PEERS)
def test_the_agent_asks_for_nothing_that_is_there_and_leaves_nothing_that_is_not_wanted(
    wanted: dict[str, str], there: dict[str, str]
) -> None:
    assert list(agent.changes(wanted, wanted)) == []
    routes, nodes = dict(there), set(there.values())
    for line in agent.changes(wanted, there):
        match line.split():
            case ["route", "del", prefix, *_]:
                del routes[prefix]
            case ["route", "replace", prefix, "via", node, *_]:
                assert node in nodes, "whoever is sent to is known first"
                routes[prefix] = node
            case ["neigh", "del", node, *_]:
                nodes.remove(node)
            case ["neigh", "replace", node, *_]:
                nodes.add(node)
    assert routes == wanted
    assert nodes == set(wanted.values())


def test_a_cluster_is_reached_at_its_nodes_and_its_services_at_one_of_them() -> None:
    nodes = [
        {
            "metadata": {"name": f"east-{number}"},
            "spec": {"podCIDR": f"10.1.{number}.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": f"172.16.1.1{number}"}]},
        }
        for number in (1, 2)
    ]
    cluster = {"gatewayNodes": ["east-2"], "serviceCIDRs": ["10.101.0.0/16"]}
    assert hooks.peers_of(cluster, nodes) == {
        "10.1.1.0/24": "172.16.1.11",
        "10.1.2.0/24": "172.16.1.12",
        "10.101.0.0/16": "172.16.1.12",
    }


def test_a_verb_that_does_not_exist_is_refused() -> None:
    assert hooks.main(["canary-1"]) == 127
