"""The images of an implementation, ready for a lab without containers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.adapter.hooks import OUTPUT_LIMIT, environment, last_words
from l3conf.adapter.placeholders import fill
from l3conf.adapter.process import run_to_end
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.implementation import EmulatedImage, Implementation

_BUILD_SECONDS = 300.0


def resolved_images(implementation: Implementation, *, earlier: bool = False) -> tuple[EmulatedImage, ...]:
    """Return the images with their placeholders filled in, those that are built only for labs at earlier versions."""
    folder = implementation.path.parent
    return tuple(
        replace(
            image,
            command=tuple(fill(word, folder) for word in image.command),
            env={name: fill(value, folder) for name, value in image.env.items()},
        )
        for image in _asked(implementation, earlier=earlier)
    )


def build_images(implementation: Implementation, logs: Path) -> None:
    """Run the build commands of the images that have one; what is made already costs them little.

    ``LabError`` with the last words of a command that fails. What all of them said is then in a file of the folder
    ``logs``, which is gone if all went well: a build that worked is evidence of nothing.
    """
    folder, log = implementation.path.parent, logs / "images.log"
    logs.mkdir(parents=True, exist_ok=True)
    for image in implementation.images:
        if image.build:
            _build(image, folder, log)
    log.unlink(missing_ok=True)
    logs.rmdir()


def visible_directories(implementation: Implementation, *, earlier: bool = False) -> tuple[str, ...]:
    """Return the directories that the images' commands need to see: the file's own, and those that it names."""
    folder = implementation.path.parent
    named = {path for image in _asked(implementation, earlier=earlier) for path in _paths_of(image, folder)}
    return tuple(sorted({str(folder), *named}))


def _asked(implementation: Implementation, *, earlier: bool) -> Iterator[EmulatedImage]:
    """Yield the images of a lab; what is built stands before what any tag matches."""
    if earlier:
        yield from (image for image in implementation.images if image.build)
    yield from (image for image in implementation.images if not image.build)


def _build(image: EmulatedImage, folder: Path, log: Path) -> None:
    command = [fill(word, folder) for word in image.build]
    where, remedy = f"image {image.name}", f"its log is {log}"
    try:
        with log.open("ab") as stream:
            ended = run_to_end(
                command,
                stdin=b"",
                env=environment(os.environ, {}),
                cwd=folder,
                log=stream,
                timeout=_BUILD_SECONDS,
                grace=5.0,
                output_limit=OUTPUT_LIMIT,
            )
    except OSError as error:
        raise LabError(f"its build command {command[0]!r} cannot be started: {error.strerror}", where=where) from error
    if ended.timed_out:
        raise LabError(f"its build still ran after {_BUILD_SECONDS:g} s and was ended", where=where, remedy=remedy)
    if ended.exit_code != 0:
        words = last_words(log)
        raise LabError(f"its build ended with exit code {ended.exit_code}{words}", where=where, remedy=remedy)


def _paths_of(image: EmulatedImage, folder: Path) -> Iterator[str]:
    """Yield the directories that the words of an image name by ``{directory}``; variables may hold lists of them."""
    for word in (*image.command, *(part for value in image.env.values() for part in value.split(":"))):
        if "{directory}" in word:
            path = Path(fill(word, folder)).resolve()
            yield str(path if path.is_dir() else path.parent)
