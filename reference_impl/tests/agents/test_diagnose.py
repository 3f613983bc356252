"""The command's shell: what is fetched, what may not be, what is printed."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.__main__ import main
from reference_impl.agents.diagnose import as_json, as_text, expiry, gather, look, print_pretty, summary
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import MEMBER_NAMESPACE
from reference_impl.planner.diagnosis import diagnose
from reference_impl.planner.finding import Finding, Weight
from reference_impl.planner.member_facts import Part
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object

FINDINGS = (
    Finding(code="NoGatewayNode", where="nodes", what="no node is [labelled]", remedy="kubectl label node"),
    Finding(code="ClocksDiffer", where="gateway a", what="60 s ahead", remedy="NTP", weight=Weight.WARNING),
)


def jwt(claims: bytes) -> str:
    return base64.b64encode(b"head." + base64.urlsafe_b64encode(claims).rstrip(b"=") + b".signature").decode()


class Forbidding(FakeAPI):
    """Refuses to show Secrets, as to most users."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        if resource is Resource.SECRET:
            raise APIError("Secret submariner-broker: forbidden", 403)
        return await super().get(resource, name, namespace)


class Foreign(FakeAPI):
    """Serves no kind of ours."""

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        if resource.api_version.startswith("submariner.io"):
            raise NotFoundError(f"{resource.kind} list: the server could not find the requested resource", 404)
        return await super().list(resource, namespace, labels=labels, name=name)


def test_an_empty_cluster_is_no_member() -> None:
    assert [finding.code for finding in asyncio.run(look(FakeAPI()))] == ["NotInstalled"]
    assert [finding.code for finding in asyncio.run(look(Foreign()))] == ["KindsMissing", "NotInstalled"]


def test_what_may_not_be_read_is_noted_and_the_rest_is_read() -> None:
    facts = asyncio.run(gather(Forbidding()))
    assert facts.unread == {Part.CREDENTIAL: "Secret submariner-broker: forbidden"}
    assert facts.kinds == {"clusters", "endpoints", "gateways", "routeagents"}


def test_a_cluster_that_does_not_answer_is_no_finding_but_an_error() -> None:
    api = FakeAPI()
    api.reachable = False
    with pytest.raises(APIError):
        asyncio.run(look(api))


def test_a_peer_that_does_not_answer_a_running_gateway_is_found() -> None:
    async def story() -> list[str]:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            one.alive.add(ip_address("10.2.0.1"))
            async with running(
                east.gateway(0, broker, east.kernel(0), one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):

                async def says(status: str) -> bool:
                    try:
                        listed = (await east.gateway_status())["connections"]
                    except NotFoundError:
                        return False
                    return [entry["status"] for entry in listed] == [status]

                await eventually(lambda: says("connected"), "east is connected")
                one.alive.clear()
                await eventually(lambda: says("error"), "east lost west")
                await east.api.create(
                    Resource.NAMESPACE,
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MEMBER_NAMESPACE}},
                )
                settings = {"cluster-id": "east", "pod-cidrs": "10.1.0.0/16"}
                facts = replace(await gather(east.api), settings=settings, has_credential=True)
                return [finding.code for finding in diagnose(facts)]

    assert "ConnectionLost" in asyncio.run(story())


def test_text_and_json_hold_every_finding() -> None:
    text = as_text(FINDINGS)
    assert text.startswith("error: nodes: NoGatewayNode\n  no node is [labelled]\n  remedy: kubectl label node\n")
    assert text.endswith("1 error, 1 warning\n")
    listed = json.loads(as_json(FINDINGS))["findings"]
    assert [(each["code"], each["weight"]) for each in listed] == [
        ("NoGatewayNode", "error"),
        ("ClocksDiffer", "warning"),
    ]
    assert summary(()) == "nothing is wrong with this member"


def test_a_terminal_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_pretty(FINDINGS)
    shown = capsys.readouterr().out
    assert "no node is [labelled]" in shown
    assert "1 error, 1 warning" in shown


def test_the_end_of_a_token_is_read_from_its_claims_alone() -> None:
    assert expiry(jwt(b'{"exp": 1800000000}')) == 1_800_000_000
    assert expiry(jwt(b'{"sub": "nobody"}')) is None


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()) | st.binary().map(jwt))
def test_whatever_a_token_is_reading_it_is_no_crash(token: str) -> None:
    expiry(token)


@pytest.mark.parametrize("text", [None, "{", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_names_no_cluster_is_unusable_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert main(["diagnose", "--kubeconfig", str(file)]) == 2
    assert "remedy: check --kubeconfig" in capsys.readouterr().err
