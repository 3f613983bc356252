"""join: a credential at the broker, settings and agents in the member."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import TYPE_CHECKING

import yaml

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.hooks.carriers import with_carriers_kept
from reference_impl.hooks.cluster import connect
from reference_impl.hooks.global_ranges import global_ranges
from reference_impl.hooks.identity import check_free
from reference_impl.hooks.leave import mark
from reference_impl.hooks.manifests import (
    account_name,
    agents,
    global_agent,
    mailbox_name,
    member_access,
    restarted_for,
    service_discovery,
    settings,
)
from reference_impl.hooks.properties import announce
from reference_impl.hooks.request import HookError
from reference_impl.names import BROKER_AGENT, BROKER_NAMESPACE, BROKER_SECRET, MEMBER_NAMESPACE, VXLAN_BACKEND

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import Broker, HookRequest, Member

CABLE_DRIVER = "REFERENCE_IMPL_CABLE_DRIVER"
"""Variable that names the cable drivers of the members that join, with commas, where the request does not."""
RELAY = "REFERENCE_IMPL_RELAY"
"""Variable that says whether members that join relay for one another: ``true`` or ``false``."""
TOKEN_SECONDS = 365 * 24 * 3600
"""Validity asked for the member's broker token; joining again renews it. The API server may grant less."""


async def join(request: HookRequest) -> Object:
    """Make one cluster a member."""
    member = request.member
    async with (
        connect(member.name, member.kubeconfig) as cluster,
        connect("broker", request.broker.kubeconfig) as broker,
    ):
        if not await cluster.exists(Resource.NAMESPACE, MEMBER_NAMESPACE):
            raise HookError(f"{member.name}: namespace {MEMBER_NAMESPACE} is missing: run deploy first")
        uid, mailbox = await asyncio.gather(
            check_free(broker, cluster), broker.exists(Resource.DEPLOYMENT, BROKER_AGENT, BROKER_NAMESPACE)
        )
        namespace = mailbox_name(member.name) if mailbox else BROKER_NAMESPACE
        token = await _credential(broker, member, uid, mailbox=mailbox)
        access = {
            "server": request.broker.server or _server(request.broker),
            "namespace": namespace,
            "ca.crt": _certificate_authority(request.broker),
            "token": token,
        }
        ranges = await global_ranges(request, broker)
        drivers = ",".join(member.cable_drivers) or os.environ.get(CABLE_DRIVER) or VXLAN_BACKEND
        relay = os.environ.get(RELAY) or "false"
        told = {
            **_settings(member),
            "global-cidrs": ",".join(ranges),
            "cable-driver": drivers,
            "broker-server": access["server"],
            "relay": relay,
        }
        await cluster.apply(settings(told, access))
        await mark(cluster, drivers)
        programs = restarted_for(namespace, [*agents(drivers), *(global_agent() if ranges else ())])
        await cluster.apply(await with_carriers_kept(cluster, programs))
        # What carries packets starts before what gives them names.
        await asyncio.gather(
            announce(cluster, member.name, request.cluster_set),
            cluster.apply(restarted_for(namespace, service_discovery())),
        )
    answer: Object = {"brokerAccess": {"secret": f"{MEMBER_NAMESPACE}/{BROKER_SECRET}", "namespace": namespace}}
    return answer | ({"globalCIDRs": list(ranges)} if ranges else {})


async def _credential(broker: HookCluster, member: Member, uid: str, *, mailbox: bool) -> str:
    """Give the member its account at the broker and return a token for it. ``uid`` is the cluster's."""
    granted = member_access(member.name, held_by=uid, mailbox=mailbox)
    await broker.apply(granted)
    # What it could read while the broker had no agent is taken back.
    before = [obj for obj in member_access(member.name) if mailbox and obj["kind"] in ("Role", "RoleBinding")]
    stale = [obj for obj in before if not any(_same(obj, each) for each in granted)]
    issue = broker.api.token(account_name(member.name), BROKER_NAMESPACE, TOKEN_SECONDS)
    try:
        token, _ = await asyncio.gather(issue, broker.delete(stale))
    except NotFoundError as error:
        raise HookError(f"broker: {error}: run deploy first") from None
    return token


def _same(one: Object, other: Object) -> bool:
    return one["kind"] == other["kind"] and all(
        one["metadata"].get(key) == other["metadata"].get(key) for key in ("name", "namespace")
    )


def _settings(member: Member) -> dict[str, str]:
    return {
        "cluster-id": member.name,
        "pod-cidrs": ",".join(member.pod_cidrs),
        "service-cidrs": ",".join(member.service_cidrs),
    }


def _certificate_authority(broker: Broker) -> str:
    encoded = broker.certificate_authority or _kubeconfig_cluster(broker).get("certificate-authority-data", "")
    if not encoded:
        raise HookError(f"broker: {broker.kubeconfig} has no certificate-authority-data, and none was given")
    return base64.b64decode(encoded).decode()


def _server(broker: Broker) -> str:
    return str(_kubeconfig_cluster(broker)["server"])


def _kubeconfig_cluster(broker: Broker) -> Object:
    config = yaml.safe_load(broker.kubeconfig.read_text())
    current = next(item["context"] for item in config["contexts"] if item["name"] == config["current-context"])
    found: Object = next(item["cluster"] for item in config["clusters"] if item["name"] == current["cluster"])
    return found
