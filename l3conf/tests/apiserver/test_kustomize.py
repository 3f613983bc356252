"""The overlays of the reference implementation, applied by kubectl as anybody would, are what schemas allow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from l3conf.tests.apiserver.hosting import Hosted

FOLDER = Path(__file__).parents[3] / "reference_impl" / "manifests" / "overlays"
OVERLAYS = sorted(path.name for path in FOLDER.iterdir())
_GENERATIONS = ("-o", "jsonpath={.items[*].metadata.generation}")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_applied_as_it_is_and_again_without_a_change(kube: Hosted, overlay: str) -> None:
    folder = str(FOLDER / overlay)
    apply = ("apply", "--server-side", "--validate=strict", "-k", folder)
    applied = kube.kubectl(*apply).splitlines()
    assert applied
    assert all(line.endswith(" serverside-applied") for line in applied)
    assert len(kube.kubectl("get", "-k", folder, "-o", "name").splitlines()) == len(applied)
    generations = kube.kubectl("get", "-k", folder, *_GENERATIONS)
    kube.kubectl(*apply)
    assert kube.kubectl("get", "-k", folder, *_GENERATIONS) == generations


def test_what_kubectl_applies_it_takes_away(kube: Hosted) -> None:
    folder = str(FOLDER / "all-drivers")
    kube.kubectl("apply", "--server-side", "-k", folder)
    kinds = "clusterroles,clusterrolebindings,customresourcedefinitions"
    assert "submariner" in kube.kubectl("get", kinds, "-o", "name")
    kube.kubectl("delete", "--wait=false", "-k", folder)
    assert "submariner" not in kube.kubectl("get", kinds, "-o", "name")
