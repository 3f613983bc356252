"""What an implementation's images stand for where there are no containers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.model.implementation import EmulatedImage, Implementation


def resolved_images(implementation: Implementation) -> tuple[EmulatedImage, ...]:
    """Return the image table with ``{python}`` and ``{directory}`` filled in."""
    return tuple(
        replace(
            image,
            command=tuple(fill_in(word, implementation.path.parent) for word in image.command),
            env={name: fill_in(value, implementation.path.parent) for name, value in image.env.items()},
        )
        for image in implementation.images
    )


def visible_directories(implementation: Implementation) -> tuple[str, ...]:
    """Return the directories that the implementation's commands need to see inside the lab.

    The parent of the file's folder is among them: a command may be a package that lies beside its siblings.
    """
    return (str(implementation.path.parent), str(implementation.path.parent.parent))


def fill_in(word: str, directory: Path) -> str:
    """Fill ``{python}`` and ``{directory}`` into one word of a command; other braces are left alone."""
    return word.replace("{python}", sys.executable).replace("{directory}", str(Path(directory).resolve()))
