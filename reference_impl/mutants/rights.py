"""Mutants of manifests: who may do what at the broker, and which cable a member gets."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

from reference_impl.names import BROKER_NAMESPACE, HOLDER, VXLAN_BACKEND

Object: TypeAlias = dict[str, Any]
_RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "Namespace")
"""A mailbox takes the rights in it along."""
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def one_role_for_all(objects: list[Object]) -> list[Object]:
    """Restrict no right to the member's own names, and judge nothing that it writes."""
    changed = copy.deepcopy(without_policies(objects))
    for rule in (rule for obj in changed for rule in obj.get("rules", [])):
        if "submariner.io" in rule["apiGroups"]:
            rule.pop("resourceNames", None)
    return changed


def without_policies(objects: list[Object]) -> list[Object]:
    """Judge nothing that a member writes: what it creates belongs to whom it says."""
    return [obj for obj in objects if obj["kind"] not in _POLICIES]


def compare_prefixes(objects: list[Object]) -> list[Object]:
    """Take whatever begins with a member's id for its own."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == _POLICIES[0] and obj["metadata"]["name"] == "submariner-member-identity":
            identity = [one for one in obj["spec"]["validations"] if "metadata.name" not in one["expression"]]
            for one in identity:
                one["expression"] = one["expression"].replace(" == variables.member", ".startsWith(variables.member)")
            obj["spec"]["validations"] = identity
    return changed


def readable_secrets(objects: list[Object]) -> list[Object]:
    """Let members read all Secrets of the broker's namespace."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "Role" and obj["metadata"]["name"].startswith("submariner-member"):
            obj["rules"].append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]})
    return changed


def readable_broker(objects: list[Object]) -> list[Object]:
    """Let members read in the common namespace what everybody publishes, besides their mailbox."""
    changed = copy.deepcopy(objects)
    for obj in objects:
        if obj["kind"] in ("Role", "RoleBinding") and obj["metadata"]["name"].startswith("submariner-member-"):
            shared = copy.deepcopy(obj)
            shared["metadata"] |= {"namespace": BROKER_NAMESPACE, "name": f"{obj['metadata']['name']}-reads"}
            if "roleRef" in shared:
                shared["roleRef"]["name"] += "-reads"
            if "rules" in shared:
                kinds = {"apiGroups": ["submariner.io"], "resources": ["clusters", "endpoints"]}
                shared["rules"] = [{**kinds, "verbs": ["get", "list", "watch"]}]
            changed.append(shared)
    return changed


def without_heartbeats(objects: list[Object]) -> list[Object]:
    """Give members no right to a Lease at the broker."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "Role" and obj["metadata"]["name"].startswith("submariner-member"):
            obj["rules"] = [rule for rule in obj["rules"] if "leases" not in rule["resources"]]
    return changed


def forget_holders(objects: list[Object]) -> list[Object]:
    """Remember of no id which cluster holds it, and let nobody beat at the broker: either would tell a second one."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "ServiceAccount":
            obj["metadata"].get("annotations", {}).pop(HOLDER, None)
        if obj["kind"] == "Role":
            obj["rules"] = [rule for rule in obj.get("rules", []) if rule.get("resources") != ["leases"]]
    return changed


def everlasting_rights(objects: list[Object]) -> list[Object]:
    """Never take an account or its rights away."""
    return [obj for obj in objects if obj["kind"] not in _RIGHTS]


def clear_cables(objects: list[Object]) -> list[Object]:
    """Take the cable driver that encrypts nothing, whatever was asked for."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "ConfigMap" and "cable-driver" in obj.get("data", {}):
            obj["data"]["cable-driver"] = VXLAN_BACKEND
    return changed
