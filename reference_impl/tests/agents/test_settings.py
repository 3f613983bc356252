from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.settings import SettingsError, load_broker, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def _environment(tmp_path: Path, **changes: str) -> dict[str, str]:
    values = {
        "cluster-id": "east\n",
        "pod-cidrs": "10.1.0.0/16",
        "service-cidrs": "10.101.0.0/16",
        "cable-driver": "vxlan",
        "nat-enabled": "false",
    }
    for key, value in (values | changes).items():
        (tmp_path / key).write_text(value)
    return {"NODE_NAME": "east-1", "POD_NAMESPACE": "ns", "SUBMARINER_SETTINGS": str(tmp_path)}


def test_settings_are_read_from_the_mounted_files(tmp_path: Path) -> None:
    settings = load_settings(_environment(tmp_path))
    assert (settings.node, settings.cluster.cluster_id, settings.nat_enabled) == ("east-1", "east", False)
    assert [str(prefix) for prefix in settings.cluster.prefixes] == ["10.101.0.0/16", "10.1.0.0/16"]


def test_a_bad_prefix_is_named_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"pod-cidrs.*10\.1\.0\.0/33"):
        load_settings(_environment(tmp_path, **{"pod-cidrs": "10.1.0.0/33"}))


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NODE_NAME"):
        load_settings({**_environment(tmp_path), "NODE_NAME": ""})


def test_a_missing_broker_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="server"):
        load_broker({"SUBMARINER_BROKER": str(tmp_path)})
