"""Access to the specification's own data files, in a source tree and in a wheel alike."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there: the catalogue loads ten times faster."""


def package_file(*parts: str) -> Traversable:
    """Return a file of ``l3conf/spec``."""
    return resources.files("l3conf.spec").joinpath(*parts)


def load_package_yaml(*parts: str) -> Any:  # noqa: ANN401 - any YAML value
    """Return the data of a YAML file of ``l3conf/spec``."""
    return yaml.load(package_file(*parts).read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader


def load_crds() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions that the suite knows, ordered by name."""
    folder = package_file("crds")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return [load_package_yaml("crds", name) for name in names]
