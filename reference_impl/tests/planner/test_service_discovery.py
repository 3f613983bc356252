"""The plan of service discovery as a whole."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import BROKER_NAMESPACE
from reference_impl.planner.exchange import Side, WriteVerb
from reference_impl.planner.service_discovery import ServiceFacts, plan_services
from reference_impl.tests.planner.services import (
    NEW,
    OLD,
    endpoint,
    export,
    gateway,
    ingress,
    member,
    namespace,
    offered,
    pod_slice,
    service,
)

if TYPE_CHECKING:
    from reference_impl.planner.exchange import Write
    from reference_impl.planner.service_discovery import ServicePlan
    from reference_impl.tests.planner.services import Object

FIELDS = {"ServiceImport": ("imports", "offered"), "EndpointSlice": ("slices", "offered_slices")}
EMPTY = ServiceFacts(own_id="east", broker_namespace=BROKER_NAMESPACE, namespaces=(namespace(),))
ALONE = replace(EMPTY, services=(service(),), exports=(export(),))
JOINED = replace(EMPTY, clusters=(member("west"),), endpoints=(gateway("west", "10.102.0.0/16"),), offered=(offered(),))


def names(plan: ServicePlan, side: Side, verb: WriteVerb = WriteVerb.CREATE) -> list[str]:
    chosen = [write.obj for write in plan.writes if (write.side, write.verb) == (side, verb)]
    return sorted(f"{obj['kind']} {obj['metadata']['name']}" for obj in chosen)


def written(facts: ServiceFacts, plan: ServicePlan) -> ServiceFacts:
    """Return the facts after everything planned was written."""
    for write in plan.writes:
        facts = _after(facts, write)
    imports = list(facts.imports)
    for obj, exporters in plan.exporters:
        status = {"clusters": [{"cluster": name} for name in exporters]}
        imports = [{**each, "status": status} if each is obj else each for each in imports]
    said = {str(obj["metadata"]["uid"]): conditions for obj, conditions in plan.said}
    exports = [_with(obj, said.get(obj["metadata"]["uid"], ())) for obj in facts.exports]
    return replace(facts, imports=tuple(imports), exports=tuple(exports))


def _after(facts: ServiceFacts, write: Write) -> ServiceFacts:
    field = FIELDS[write.obj["kind"]][write.side is Side.BROKER]
    name = write.obj["metadata"]["namespace"], write.obj["metadata"]["name"]
    kept = [obj for obj in getattr(facts, field) if (obj["metadata"].get("namespace"), obj["metadata"]["name"]) != name]
    new = [] if write.verb is WriteVerb.DELETE else [write.obj]
    changed: dict[str, Any] = {field: tuple(kept + new)}
    return replace(facts, **changed)


def _with(obj: Object, conditions: tuple[object, ...]) -> Object:
    known = {each["type"]: each for each in (obj.get("status") or {}).get("conditions") or []}
    fields = ("type", "status", "reason", "message")
    known |= {each.type: {name: getattr(each, name) for name in fields} for each in conditions}  # type: ignore[attr-defined]
    return {**obj, "status": {"conditions": list(known.values())}}


def settled(facts: ServiceFacts) -> ServiceFacts:
    for _ in range(3):
        facts = written(facts, plan_services(facts))
    return facts


def test_an_exported_service_is_offered_and_imported_at_home() -> None:
    plan = plan_services(ALONE)
    assert names(plan, Side.BROKER) == ["ServiceImport web.shop.east"]
    assert names(plan, Side.MEMBER) == ["EndpointSlice web.east.ipv4-0", "ServiceImport web"]


def test_at_home_a_service_is_reached_at_its_own_address_and_elsewhere_at_its_global_one() -> None:
    reached = ingress("web", "100.64.0.9", target="ClusterIPService", serviceRef={"name": "web"})
    plan = plan_services(replace(ALONE, global_cidrs=(ip_network("100.64.0.0/24"),), ingress=(reached,)))
    assert {write.side: write.obj["spec"]["ips"] for write in plan.writes if write.obj["kind"] == "ServiceImport"} == {
        Side.BROKER: ["100.64.0.9"],
        Side.MEMBER: ["10.101.0.20"],
    }


def test_a_service_of_a_connected_member_is_imported() -> None:
    plan = plan_services(JOINED)
    assert names(plan, Side.MEMBER) == ["EndpointSlice web.west.ipv4-0", "ServiceImport web"]
    assert names(plan, Side.BROKER) == []


@pytest.mark.parametrize(
    "facts",
    [
        replace(JOINED, clusters=(member("west", isolated=True),)),
        replace(JOINED, clusters=(member("west", accepted=False),)),
        replace(JOINED, endpoints=()),
        replace(JOINED, namespaces=()),
        replace(JOINED, namespaces=(namespace(deletionTimestamp=NEW),)),
        replace(JOINED, offered=(offered(ips=["10.101.0.20"]),)),
        replace(JOINED, offered=()),
    ],
    ids=["isolated", "refused", "no Endpoint", "no namespace", "namespace goes", "foreign address", "not exported"],
)
def test_nothing_is_imported_otherwise_and_what_was_imported_goes(facts: ServiceFacts) -> None:
    assert names(plan_services(facts), Side.MEMBER) == []
    before = settled(JOINED)
    plan = plan_services(replace(facts, imports=before.imports, slices=before.slices))
    assert names(plan, Side.MEMBER, WriteVerb.DELETE) == ["EndpointSlice web.west.ipv4-0", "ServiceImport web"]


def test_an_import_that_somebody_else_made_stays_as_it_is() -> None:
    foreign = {"kind": "ServiceImport", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}}
    assert plan_services(replace(JOINED, imports=(foreign,))).writes == ()


def test_what_is_withdrawn_is_withdrawn_everywhere() -> None:
    plan = plan_services(replace(settled(ALONE), exports=()))
    assert names(plan, Side.BROKER, WriteVerb.DELETE) == ["ServiceImport web.shop.east"]
    assert names(plan, Side.MEMBER, WriteVerb.DELETE) == ["EndpointSlice web.east.ipv4-0", "ServiceImport web"]


def test_what_somebody_changed_is_put_right() -> None:
    facts = settled(JOINED)
    spoilt = [{**each, "spec": {**each["spec"], "ips": ["192.0.2.1"]}} for each in facts.imports]
    plan = plan_services(replace(facts, imports=tuple(spoilt)))
    assert names(plan, Side.MEMBER, WriteVerb.REPLACE) == ["ServiceImport web"]


def test_what_other_members_offer_is_never_written_to() -> None:
    plan = plan_services(replace(ALONE, offered=(offered(),)))
    assert names(plan, Side.BROKER, WriteVerb.DELETE) == names(plan, Side.BROKER, WriteVerb.REPLACE) == []


def said(facts: ServiceFacts) -> dict[str, tuple[str, str]]:
    return {
        each["type"]: (each["status"], each["reason"])
        for obj in settled(facts).exports
        for each in obj["status"]["conditions"]
    }


def test_an_export_says_what_became_of_it() -> None:
    assert said(ALONE) == {
        "Conflict": ("False", "NoConflicts"),
        "Ready": ("True", "Exported"),
        "Valid": ("True", "Valid"),
    }
    assert said(replace(ALONE, services=())) == {"Ready": ("False", "NotExported"), "Valid": ("False", "NoService")}


def test_where_there_are_global_addresses_their_agent_says_whether_an_export_is_valid() -> None:
    assert [*said(replace(ALONE, global_cidrs=(ip_network("100.64.0.0/24"),)))] == ["Conflict"]


@pytest.mark.parametrize(("mine", "theirs", "status"), [(OLD, NEW, "False"), (NEW, OLD, "True")])
def test_the_younger_export_says_that_it_conflicts(mine: str, theirs: str, status: str) -> None:
    other = offered(since=theirs, ports=[{"name": "http", "port": 8080, "protocol": "TCP"}])
    facts = replace(JOINED, services=(service(),), exports=(export(created=mine),), offered=(other,))
    assert said(facts)["Conflict"][0] == status


def test_an_import_names_its_exporters() -> None:
    facts = settled(replace(JOINED, services=(service(),), exports=(export(),)))
    assert [each["status"]["clusters"] for each in facts.imports] == [[{"cluster": "east"}, {"cluster": "west"}]]


HEADLESS = (service("web", "None"), pod_slice("web", endpoint("web-0", "10.1.0.5"), endpoint("web-1", "10.1.0.6")))
FACTS = st.builds(
    ServiceFacts,
    own_id=st.just("east"),
    broker_namespace=st.just(BROKER_NAMESPACE),
    exports=st.sampled_from([(), (export(),), (export(created=NEW),), (export("gone"),)]),
    services=st.sampled_from([(), (service(),), (HEADLESS[0],), (service("web", "10.101.0.20", "fd00::20"),)]),
    slices=st.sampled_from([(), (HEADLESS[1],)]),
    namespaces=st.sampled_from([(), (namespace(),)]),
    clusters=st.sampled_from([(), (member("west"),), (member("west", isolated=True),)]),
    endpoints=st.sampled_from([(), (gateway("west", "10.102.0.0/16", "10.2.0.0/16"),)]),
    offered=st.sampled_from([(), (offered(),), (offered(since=OLD, type="Headless", ips=[]),), (offered(ports=[]),)]),
)


@given(FACTS, FACTS)
def test_whatever_happens_a_second_look_finds_nothing_to_do(before: ServiceFacts, now: ServiceFacts) -> None:
    left = settled(before)
    others = [each for each in left.offered if each["metadata"]["name"].endswith(".east")]
    ours = [each for each in left.slices if each not in before.slices]
    facts = settled(
        replace(
            now,
            imports=left.imports,
            slices=(*now.slices, *ours),
            offered=(*now.offered, *others),
            offered_slices=left.offered_slices,
        )
    )
    plan = plan_services(facts)
    assert (plan.writes, plan.exporters, plan.said) == ((), (), ())
