"""An implementation file either becomes an implementation or says, field by field, what to mend."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from l3conf.errors import InvalidFileError
from l3conf.model.implementation import EmulatedImage, Verb
from l3conf.spec.files import load_exemptions, load_implementation
from l3conf.tests.spec.test_topology_files import PlainDumper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALID: dict[str, Any] = {
    "apiVersion": "l3conf.io/v1alpha1",
    "kind": "Implementation",
    "metadata": {"name": "mylink"},
    "spec": {
        "version": "1.4.0",
        "hooks": {"command": ["{python}", "hooks.py"], "verbs": ["deploy", "join", "leave", "remove"]},
    },
}


def write(directory: Path, data: object) -> Path:
    path = directory / "impl.yaml"
    path.write_text(yaml.dump(data, Dumper=PlainDumper, sort_keys=False), encoding="utf-8")
    return path


def waiver(requirement: str = "L3-K5", **changes: str) -> dict[str, str]:
    known = {"reason": "known", "link": "https://example.com/1", "expires": "2026-12-31"}
    return {"requirement": requirement, **known, **changes}


def test_waivers_are_loaded_apart(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    data["spec"]["exemptions"] = [waiver()]
    path = write(tmp_path, data)
    path.write_text(path.read_text().replace("'2026-12-31'", "2026-12-31"))
    (exemption,) = load_exemptions(path)
    assert (exemption.requirement, exemption.expires) == ("L3-K5", dt.date(2026, 12, 31))


def test_a_minimal_file_has_the_documented_defaults(tmp_path: Path) -> None:
    implementation = load_implementation(write(tmp_path, VALID))
    assert implementation.path == (tmp_path / "impl.yaml").resolve()
    assert implementation.command == ("{python}", "hooks.py")
    assert implementation.hook_timeout == 120
    assert implementation.profiles == {"core"}
    assert implementation.features == frozenset()
    assert implementation.cable_drivers == ()


def test_everything_a_file_says_becomes_values(tmp_path: Path) -> None:
    data = copy.deepcopy(VALID)
    data["spec"].update(
        organization="Example Ltd",
        url="https://example.com",
        profiles=["overlap"],
        features=["GatewayHA"],
        images=[
            {"name": "example.com/agent:*", "command": ["{directory}/agent"], "env": {"A": "b"}},
            {"name": "example.com/agent:1", "command": ["{directory}/1/agent"], "build": ["make", "1"]},
        ],
        previousVersions=["1.3.0", "1.2.9"],
        residue=["sysctl/net\\.ipv4\\.conf\\..*\\.rp_filter"],
    )
    data["spec"]["hooks"].update(timeoutSeconds=30, env={"CHANNEL": "stable"})
    data["spec"]["hooks"]["verbs"].append("gather")
    implementation = load_implementation(write(tmp_path, data))
    assert implementation.profiles == {"core", "overlap"}
    assert implementation.features == {"GatewayHA"}
    assert implementation.images == (
        EmulatedImage(name="example.com/agent:*", command=("{directory}/agent",), env={"A": "b"}),
        EmulatedImage(name="example.com/agent:1", command=("{directory}/1/agent",), build=("make", "1")),
    )
    assert implementation.previous_versions == ("1.3.0", "1.2.9")
    assert implementation.verbs == {Verb.DEPLOY, Verb.JOIN, Verb.LEAVE, Verb.REMOVE, Verb.GATHER}
    assert (implementation.hook_timeout, implementation.hook_env) == (30, {"CHANNEL": "stable"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("hooks"), "spec.hooks: missing"),
        (lambda s: s["hooks"].update(verbs=["deploy", "join"]), "lacks the required hooks leave, remove (implement"),
        (
            lambda s: s["hooks"].update(verbs=["deploi"]),
            "spec.hooks.verbs[0]: 'deploi' is not allowed (did you mean dep",
        ),
        (lambda s: s["hooks"].update(command="hooks.py"), "is not of type array (write a list)"),
        (lambda s: s["hooks"].update(command=[]), "spec.hooks.command: is empty"),
        (lambda s: s["hooks"].update(command=["./gone.sh"]), "there is no program './gone.sh' in"),
        (lambda s: s["hooks"].update(command=["no-such-program"]), "there is no program 'no-such-program' on PATH"),
        (lambda s: s["hooks"].update(command=["{pyhton}"]), "unknown placeholder {pyhton} (did you mean python?)"),
        (lambda s: s["hooks"].update(timeoutSeconds=0), "spec.hooks.timeoutSeconds"),
        (lambda s: s["hooks"].update(timeoutSeconds=3600), "spec.hooks.timeoutSeconds"),
        (lambda s: s["hooks"].update(env={"A B": "c"}), "spec.hooks.env"),
        (lambda s: s["hooks"].update(env={"A": 1}), "1 is not of type string (quote it)"),
        (lambda s: s.update(version=1.4), "spec.version: 1.4 is not of type string (quote it)"),
        (lambda s: s.update(profiles=["cor"]), "spec.profiles[0]: 'cor' is no profile (did you mean core?)"),
        (lambda s: s.update(features=["PodToPod"]), "spec.features[0]: 'PodToPod' is no extended feature"),
        (
            lambda s: s.update(features=["PerPairDriver"], cableDrivers=["vxlan"]),
            "spec.cableDrivers: declares PerPairDriver with fewer than two cable drivers (list two",
        ),
        (
            lambda s: s.update(previousVersions=["1.4.0"]),
            "spec.previousVersions: version 1.4.0 does not precede itself (leave it out",
        ),
        (
            lambda s: s.update(profiles=["lifecycle"]),
            "spec.previousVersions: claims the profile lifecycle without a version to come from (list at least",
        ),
        (
            lambda s: s.update(profiles=["lifecycle"], previousVersions=["1.3.0"]),
            "spec.hooks.verbs: claims the profile lifecycle without the hook upgrade (implement",
        ),
        (
            lambda s: s.update(images=[{"name": "a", "command": ["b"], "build": ["{folder}"]}]),
            "spec.images[0].build[0]: unknown placeholder {folder}",
        ),
        (lambda s: s.update(residue=["("]), "is no regular expression"),
        (lambda s: s.update(residue=[".*"]), "'.*' matches everything (name what is left behind)"),
        (lambda s: s.update(images=[{"name": "a", "command": ["b"]}] * 2), "spec.images[1].name: image 'a' stands tw"),
        (lambda s: s.update(exemptions=[waiver("L3-F1")]), "L3-F1 is a core requirement (core requirements cannot be"),
        (lambda s: s.update(exemptions=[waiver("L3-F99")]), "there is no requirement 'L3-F99' (section F has"),
        (lambda s: s.update(exemptions=[waiver(expires="2026-02-30")]), "is no day: day is out of range"),
        (lambda s: s.update(exemptions=[waiver(link="see mail")]), "spec.exemptions[0].link"),
        (lambda s: s.update(exemptions=[waiver(reason=" ")]), "spec.exemptions[0].reason"),
        (lambda s: s.update(image=[]), "spec.image: unknown key (did you mean images?)"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_remedy(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    data = copy.deepcopy(VALID)
    change(data["spec"])
    with pytest.raises(InvalidFileError) as refused:
        load_implementation(write(tmp_path, data))
    assert message in str(refused.value)
    assert all(line.startswith(f"{tmp_path}/impl.yaml:") for line in str(refused.value).splitlines())


def test_a_topology_is_no_implementation(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="kind: 'Topology' is not allowed"):
        load_implementation(write(tmp_path, {**VALID, "kind": "Topology"}))
