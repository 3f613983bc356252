"""Mistakes on the command line are told as such, in one line each."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from l3conf.cli.main import run_command

IMPLEMENTATION = Path(__file__).parents[3] / "reference_impl" / "impl.yaml"
USAGE, INCOMPLETE = 3, 2


def broken(path: Path, *contexts: str) -> str:
    """Write a kubeconfig whose credentials are none, so that no server is asked."""
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"}}],
        "users": [{"name": "u", "user": {"client-certificate-data": "zzz", "client-key-data": "zzz"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_a_cluster_that_cannot_be_reached_keeps_no_other_from_being_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = broken(tmp_path / "config", "east", "west")
    assert run_command(["clean", "--contexts", "east,n=west", "--kubeconfig", kubeconfig]) == INCOMPLETE
    first, second = capsys.readouterr().err.splitlines()
    assert "context 'east' cannot be used" in first
    assert "context 'west' cannot be used" in second


@pytest.mark.parametrize("contexts", [",", "east,north"])
def test_contexts_that_are_not_there_are_refused_before_anything_is_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contexts: str
) -> None:
    assert run_command(["clean", "--contexts", contexts, "--kubeconfig", broken(tmp_path / "config", "east")]) == USAGE
    assert "--contexts" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("run", "L3-F5"), ("certify",)])
def test_options_about_existing_clusters_are_refused_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    words = [*command, "--on", "emulated", "--impl", str(IMPLEMENTATION), "-o", str(tmp_path / "o")]
    assert run_command([*words, "--contexts", "east,west"]) == USAGE
    assert "--on existing" in capsys.readouterr().err


def test_contexts_are_not_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["certify", "--on", "existing", "--impl", str(IMPLEMENTATION), "-o", str(tmp_path / "o")]
    assert run_command(words) == USAGE
    assert "--contexts" in capsys.readouterr().err
