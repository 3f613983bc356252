"""The image table: what an image name stands for on this host. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.node_runtime import Image

_DEFAULT_REGISTRIES = ("docker.io/library/", "docker.io/")


def find_image(images: Iterable[Image], reference: str) -> Image | None:
    """Return the first row that stands for ``reference``; a row's trailing ``*`` matches any rest."""
    names = {reference, _without_registry(reference)}
    for image in images:
        if image.name.endswith("*"):
            if any(name.startswith(image.name[:-1]) for name in names):
                return image
        elif image.name in names:
            return image
    return None


def _without_registry(reference: str) -> str:
    """Drop the default registry: a runtime takes ``docker.io/x`` and ``x`` for the same image."""
    for prefix in _DEFAULT_REGISTRIES:
        if reference.startswith(prefix):
            return reference.removeprefix(prefix)
    return reference


def is_builtin(image: Image, container: Mapping[str, Any]) -> bool:
    """Say whether the emulator itself serves this container; its own ``command`` makes it an ordinary process."""
    return image.builtin is not None and not container.get("command")


def argv(image: Image, container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``command`` (or the image's entry point) followed by ``args``."""
    command = tuple(container.get("command") or image.entrypoint)
    return (*command, *(container.get("args") or ()))
