"""Files of volumes: what they hold, and that they change all at once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l3conf.emulator.node import atomic_writer
from l3conf.emulator.node.atomic_writer import Content
from l3conf.emulator.node.volume_contents import VolumeError, VolumeSources, volume_contents
from l3conf.tests.controllers.cluster import pod

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "cm"): {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}},
    ("secrets", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"\x00\xff").decode()}},
}
SOURCES = VolumeSources(
    pod=pod("p", labels={"x": "y"}),
    addresses={"status.podIP": "10.1.0.2"},
    lookup=lambda resource, name: OBJECTS.get((resource, name)),
    token=lambda projection: f"token for {projection.get('audience', 'the API')}",
)
files_strategy = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}(/[a-z]{1,2})?", fullmatch=True), st.binary(max_size=4), max_size=4
).filter(lambda files: not any(f"{other}/" in name for name in files for other in files))


def contents(**volume: Any) -> dict[str, bytes]:  # noqa: ANN401 - JSON
    return {path: item.data for path, item in volume_contents({"name": "v", **volume}, SOURCES).items()}


def shown(directory: Path) -> dict[str, bytes]:
    """What a program sees that walks the visible entries."""
    visible = [entry for entry in directory.iterdir() if not entry.name.startswith("..")]
    files = [path for entry in visible for path in ([entry] if entry.is_file() else entry.rglob("*"))]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files if path.is_file()}


def test_config_maps_and_secrets_are_files() -> None:
    assert contents(configMap={"name": "cm"}) == {"a": b"1", "b": b"2"}
    assert contents(configMap={"name": "cm", "items": [{"key": "a", "path": "x/y"}]}) == {"x/y": b"1"}
    assert contents(secret={"secretName": "s"}) == {"k": b"\x00\xff"}


def test_a_projected_volume_joins_its_sources() -> None:
    field = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "vault"}},
        {"configMap": {"name": "no", "optional": True}},
        {"downwardAPI": {"items": [field]}},
    ]
    assert contents(projected={"sources": sources}) == {"token": b"token for vault", "labels": b'x="y"'}


@pytest.mark.parametrize("volume", [{"configMap": {"name": "no"}}, {"secret": {"secretName": "no"}}])
def test_a_missing_source_names_the_volume(volume: dict[str, Any]) -> None:
    with pytest.raises(VolumeError, match=r'volume "v".*"no" not found'):
        contents(**volume)


@given(st.lists(files_strategy, min_size=1, max_size=4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_directory_shows_exactly_its_last_content(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, bytes]]
) -> None:
    directory = tmp_path_factory.mktemp("volume")
    for generation, files in enumerate(states):
        wanted = {path: Content(data) for path, data in files.items()}
        atomic_writer.write(directory, wanted, generation=generation)
        assert shown(directory) == files
        assert not atomic_writer.write(directory, wanted, generation=1000 + generation)


def test_an_open_directory_keeps_the_content_that_it_had(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": Content(b"1"), "b": Content(b"1")}, generation=1)
    link = (tmp_path / "..data").readlink()
    atomic_writer.write(tmp_path, {"a": Content(b"2"), "b": Content(b"2")}, generation=2)
    assert (tmp_path / "..data").readlink() != link
    assert not (tmp_path / link).exists()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
