"""The columns of workloads and Events (``pkg/printers/internalversion``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.cells import NONE, WIDE, at, containers, integer, selector, selector_text
from l3conf.emulator.apiserver.tables import AGE, NAME, Column, age, created

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import Object


def _node_selector(obj: Object) -> str:
    template = (obj["spec"].get("template") or {}).get("spec") or {}
    return selector_text(template.get("nodeSelector"))


DAEMON_SETS = (
    NAME,
    integer("Desired", "status", "desiredNumberScheduled"),
    integer("Current", "status", "currentNumberScheduled"),
    integer("Ready", "status", "numberReady"),
    integer("Up-to-date", "status", "updatedNumberScheduled"),
    integer("Available", "status", "numberAvailable"),
    Column("Node Selector", _node_selector),
    AGE,
    *containers("spec", "template", "spec"),
    selector("spec", "selector"),
)


def _deployment_ready(obj: Object) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"


DEPLOYMENTS = (
    NAME,
    Column("Ready", _deployment_ready),
    integer("Up-to-date", "status", "updatedReplicas"),
    integer("Available", "status", "availableReplicas"),
    AGE,
    *containers("spec", "template", "spec"),
    selector("spec", "selector"),
)
REPLICA_SETS = (
    NAME,
    integer("Desired", "spec", "replicas"),
    integer("Current", "status", "replicas"),
    integer("Ready", "status", "readyReplicas"),
    AGE,
    *containers("spec", "template", "spec"),
    selector("spec", "selector"),
)


def owner(obj: Object) -> str:
    """Return an object's controller as ``daemonset.apps/name``."""
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    return f"{owner['kind'].lower()}.{owner['apiVersion'].partition('/')[0]}/{owner['name']}" if owner else NONE


def _last_seen(event: Object) -> str:
    moment = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return age(moment) if moment else created(event)


def _involved(event: Object) -> str:
    involved = event.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _source(event: Object) -> str:
    source = event.get("source") or {}
    parts = (source.get("component") or event.get("reportingComponent"), source.get("host"))
    return ", ".join(part for part in parts if part)


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", at("type", missing="")),
    Column("Reason", at("reason", missing="")),
    Column("Object", _involved),
    Column("Subobject", at("involvedObject", "fieldPath", missing=""), priority=WIDE),
    Column("Source", _source, priority=WIDE),
    Column("Message", lambda event: str(event.get("message") or "").strip()),
    Column("First Seen", lambda event: age(event.get("firstTimestamp") or event.get("eventTime")), priority=WIDE),
    Column("Count", at("count", missing=1), priority=WIDE),
    Column("Name", lambda event: event["metadata"]["name"], priority=WIDE, format="name"),
)
