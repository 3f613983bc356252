"""Servers for the tests: one that only components use, and one that listens."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.apiserver.server import APIServer
from l3conf.tests.apiserver.hosting import SERVICE_CIDR, Hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.cluster_api import ClusterAPI


@pytest.fixture
def server() -> APIServer:
    return APIServer("east", service_cidrs=[SERVICE_CIDR], addresses=[])


@pytest.fixture
def api(server: APIServer) -> ClusterAPI:
    return server.api


@pytest.fixture
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    host = Hosted(tmp_path_factory.mktemp("kube"))
    yield host
    host.close()


@pytest.fixture
def kube(hosted: Hosted) -> Hosted:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return hosted
