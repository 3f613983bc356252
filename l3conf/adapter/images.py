"""The images of an implementation, ready for a lab without containers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.adapter.placeholders import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.implementation import EmulatedImage, Implementation


def resolved_images(implementation: Implementation) -> tuple[EmulatedImage, ...]:
    """Return the images with their placeholders filled in."""
    folder = implementation.path.parent
    return tuple(
        replace(
            image,
            command=tuple(fill(word, folder) for word in image.command),
            env={name: fill(value, folder) for name, value in image.env.items()},
        )
        for image in implementation.images
    )


def visible_directories(implementation: Implementation) -> tuple[str, ...]:
    """Return the directories that the images' commands need to see: the file's own, and those that it names."""
    folder = implementation.path.parent
    named = {path for image in implementation.images for path in _paths_of(image, folder)}
    return tuple(sorted({str(folder), *named}))


def _paths_of(image: EmulatedImage, folder: Path) -> Iterator[str]:
    """Yield the directories that the words of an image name by ``{directory}``; variables may hold lists of them."""
    for word in (*image.command, *(part for value in image.env.values() for part in value.split(":"))):
        if "{directory}" in word:
            path = Path(fill(word, folder)).resolve()
            yield str(path if path.is_dir() else path.parent)
