from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from l3conf.adapter.images import build_images, resolved_images, visible_directories
from l3conf.errors import LabError
from l3conf.model.implementation import EmulatedImage, Implementation, Verb


def implementation(folder: Path) -> Implementation:
    return Implementation(
        name="i",
        version="0",
        path=folder / "impl.yaml",
        command=("hooks",),
        verbs=frozenset({Verb.DEPLOY}),
        images=(
            EmulatedImage(name="a", command=("{python}", "-m", "agent"), env={"PYTHONPATH": "{directory}/..:/opt/{x}"}),
            EmulatedImage(name="b", command=("{directory}/bin/agent",)),
        ),
    )


def test_placeholders_are_filled_in_commands_and_variables(tmp_path: Path) -> None:
    agent, program = resolved_images(implementation(tmp_path))
    assert agent.command == (sys.executable, "-m", "agent")
    assert agent.env == {"PYTHONPATH": f"{tmp_path}/..:/opt/{{x}}"}
    assert program.command == (f"{tmp_path}/bin/agent",)


def test_images_see_the_folder_of_their_file_and_what_they_name_by_it(tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    (folder / "bin").mkdir(parents=True)
    seen = {Path(path) for path in visible_directories(implementation(folder))}
    assert seen == {folder, folder / "bin", tmp_path}


def built(folder: Path, *build: str) -> Implementation:
    image = EmulatedImage(name="a:1", command=("{directory}/old/agent",), build=build)
    return replace(implementation(folder), images=(EmulatedImage(name="a:*", command=("now",)), image))


def test_images_that_are_built_are_there_for_labs_at_earlier_versions_alone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    vendor = built(tmp_path, "true")
    assert [image.name for image in resolved_images(vendor)] == ["a:*"]
    assert str(tmp_path / "old") not in visible_directories(vendor)
    assert [image.name for image in resolved_images(vendor, earlier=True)] == ["a:1", "a:*"]
    assert str(tmp_path / "old") in visible_directories(vendor, earlier=True)


def test_a_build_runs_in_the_folder_of_the_file_and_leaves_no_log_that_a_report_would_have_to_name(
    tmp_path: Path,
) -> None:
    logs = tmp_path / "hooks" / "main-build"
    build_images(built(tmp_path, "sh", "-c", "echo built >&2; mkdir old"), logs)
    assert (tmp_path / "old").is_dir()
    assert not logs.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sh", "-c", "echo no compiler >&2; exit 3"), "exit code 3: no compiler"),
        (("no-such-builder",), "cannot be st"),
    ],
)
def test_a_build_that_fails_names_its_image_and_its_last_words(
    command: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as failed:
        build_images(built(tmp_path, *command), tmp_path / "logs")
    assert words in str(failed.value)
    assert (tmp_path / "logs").is_dir()
    assert "image a:1" in str(failed.value)
