from __future__ import annotations

import sys
from pathlib import Path

from l3conf.adapter.images import resolved_images, visible_directories
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
