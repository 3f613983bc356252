"""What an implementation file may say beyond its schema: pure functions from its data to problems."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from l3conf.model.implementation import REQUIRED_VERBS, Verb
from l3conf.spec.catalogue import requirements_by_id, suggestion_for
from l3conf.spec.problems import FieldPath, Problem, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

PLACEHOLDERS = frozenset({"python", "directory"})
"""What ``{…}`` in a command may name."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_SAMPLES = ("", "x", "link/eth0", "route/main/10.0.0.0/8", "nft/table ip filter", "sysctl/net.ipv4.ip_forward")
"""Unrelated node-state paths: a residue pattern that matches all of them excuses everything."""


PER_PAIR_DRIVER = "PerPairDriver"
LIFECYCLE = "lifecycle"
"""Profile of upgrades."""


def implementation_problems(
    data: Mapping[str, Any],
    *,
    profiles: Collection[str],
    features: Collection[str],
) -> list[Problem]:
    """Return what is wrong with schema-valid implementation data; ``profiles`` and ``features`` are the known ones."""
    spec = data["spec"]
    return [
        *_verb_problems(spec["hooks"]),
        *_command_problems(("spec", "hooks", "command"), spec["hooks"]["command"]),
        *_unknown_names(("spec", "profiles"), spec.get("profiles", []), profiles, "profile"),
        *_unknown_names(("spec", "features"), spec.get("features", []), features, "extended feature"),
        *_driver_problems(spec),
        *_version_problems(spec),
        *_image_problems(spec.get("images", [])),
        *_residue_problems(spec.get("residue", [])),
        *_exemption_problems(spec.get("exemptions", [])),
    ]


def _driver_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    if PER_PAIR_DRIVER in spec.get("features", []) and len(spec.get("cableDrivers", [])) < 2:  # noqa: PLR2004 - a pair
        what = f"declares {PER_PAIR_DRIVER} with fewer than two cable drivers"
        yield Problem(("spec", "cableDrivers"), what, "list two that a cluster can be told to use")


def _version_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    previous = spec.get("previousVersions", [])
    if spec["version"] in previous:
        yield Problem(
            ("spec", "previousVersions"), f"version {spec['version']} does not precede itself", "leave it out"
        )
    if LIFECYCLE not in spec.get("profiles", []):
        return
    if not previous:
        what = f"claims the profile {LIFECYCLE} without a version to come from"
        yield Problem(("spec", "previousVersions"), what, "list at least the release before this one")
    if Verb.UPGRADE.value not in spec["hooks"]["verbs"]:
        what = f"claims the profile {LIFECYCLE} without the hook {Verb.UPGRADE.value}"
        yield Problem(("spec", "hooks", "verbs"), what, "implement and list it, see l3conf/spec/adapter-protocol.md")


def _verb_problems(hooks: Mapping[str, Any]) -> Iterator[Problem]:
    missing = sorted(verb.value for verb in REQUIRED_VERBS if verb.value not in hooks["verbs"])
    if missing:
        what = f"lacks the required hooks {', '.join(missing)}"
        yield Problem(("spec", "hooks", "verbs"), what, "implement and list them, see l3conf/spec/adapter-protocol.md")


def _command_problems(path: FieldPath, command: Sequence[str]) -> Iterator[Problem]:
    for index, word in enumerate(command):
        for name in _PLACEHOLDER.findall(word):
            if name not in PLACEHOLDERS:
                yield Problem((*path, index), f"unknown placeholder {{{name}}}", suggestion(name, PLACEHOLDERS))


def _unknown_names(path: FieldPath, names: Sequence[str], known: Collection[str], what: str) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name not in known:
            yield Problem((*path, index), f"{name!r} is no {what}", suggestion(name, known))


def _image_problems(images: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, image in enumerate(images):
        path: FieldPath = ("spec", "images", index)
        if image["name"] in seen:
            yield Problem((*path, "name"), f"image {image['name']!r} stands twice", "keep one of the two")
        seen.add(image["name"])
        yield from _command_problems((*path, "command"), image["command"])
        yield from _command_problems((*path, "build"), image.get("build", []))


def _residue_problems(patterns: Sequence[str]) -> Iterator[Problem]:
    for index, pattern in enumerate(patterns):
        path = ("spec", "residue", index)
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            yield Problem(path, f"{pattern!r} is no regular expression: {error}", "mend it")
            continue
        if all(compiled.search(sample) for sample in _SAMPLES):
            yield Problem(path, f"{pattern!r} matches everything", "name what is left behind")


def _exemption_problems(exemptions: Sequence[Mapping[str, str]]) -> Iterator[Problem]:
    rows = requirements_by_id()
    for index, exemption in enumerate(exemptions):
        path: FieldPath = ("spec", "exemptions", index)
        name = exemption["requirement"]
        if name not in rows:
            yield Problem((*path, "requirement"), f"there is no requirement {name!r}", suggestion_for(name, rows))
        elif rows[name].core:
            yield Problem((*path, "requirement"), f"{name} is a core requirement", "core requirements cannot be waived")
        try:
            dt.date.fromisoformat(exemption["expires"])
        except ValueError as error:
            yield Problem((*path, "expires"), f"{exemption['expires']!r} is no day: {error}", "write YYYY-MM-DD")
