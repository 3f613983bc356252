"""Built-in kinds are known from the kubernetes package, without importing it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.schemas import builtin, builtin_kinds, model_source, types

if TYPE_CHECKING:
    from pathlib import Path

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"a": "b"}, "creationTimestamp": None},
    "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
}
OLD_GENERATION = '''
class V1OldThing(object):
    openapi_types = {
        "host_ip": "str",
        "node_labels": "dict(str, str)"
    }

    attribute_map = {
        "host_ip": "hostIP",
        "node_labels": "nodeLabels"
    }

    @property
    def host_ip(self):
        """Gets the host_ip of this V1OldThing.  # noqa: E501

        Called \\"host\\".  # noqa: E501

        :return: The host_ip of this V1OldThing.  # noqa: E501
        """
        return self._host_ip

    @host_ip.setter
    def host_ip(self, host_ip):
        if self.local_vars_configuration.client_side_validation and host_ip is None:  # noqa: E501
            raise ValueError("Invalid value for `host_ip`, must not be `None`")  # noqa: E501

    @property
    def node_labels(self):
        """Gets the node_labels of this V1OldThing.  # noqa: E501

        Labels.  # noqa: E501

        :return: The node_labels of this V1OldThing.  # noqa: E501
        """
        return self._node_labels
'''
KINDS = sorted(builtin_kinds._MODELS)


def pod_with(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**POD, "spec": {**POD["spec"], **spec}}


@pytest.mark.parametrize(("api_version", "kind"), KINDS, ids=[f"{version}.{kind}" for version, kind in KINDS])
def test_what_is_read_is_what_an_import_would_give(api_version: str, kind: str) -> None:
    name = builtin_kinds.model_name(api_version, kind)
    if name is None:
        pytest.skip("newer than the installed package")
    imported = getattr(importlib.import_module("kubernetes.client.models"), name)
    read = model_source.model(name)
    assert dict(read.types) == {imported.attribute_map[a]: text for a, text in imported.openapi_types.items()}
    assert {"apiVersion", "kind"} <= read.types.keys()


@pytest.mark.parametrize("name", ["V1PodSpec", "V1ContainerPort", "V1ServiceSpec", "V1ObjectMeta", "V1LeaseSpec"])
def test_fields_of_plain_types_are_documented(name: str) -> None:
    docs = model_source.docs(name)
    plain = {field for field, ref in types.fields(name).items() if ref.shape is not types.Shape.STRUCT}
    assert {field for field in plain if not docs.fields.get(field)} == set()
    assert docs.required <= model_source.model(name).types.keys()


def test_the_older_generation_of_the_package_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v1_old_thing.py").write_text(OLD_GENERATION, encoding="utf-8")
    monkeypatch.setattr(model_source, "_directory", lambda: tmp_path)
    assert model_source.model("V1OldThing").types == {"hostIP": "str", "nodeLabels": "dict(str, str)"}
    docs = model_source.docs("V1OldThing")
    assert docs.fields == {"hostIP": 'Called "host".', "nodeLabels": "Labels."}
    assert docs.required == {"hostIP"}


def test_required_fields_are_known() -> None:
    assert model_source.docs("V1ContainerPort").required == {"containerPort"}
    assert model_source.docs("V1PodSpec").required == {"containers"}


def test_nothing_of_the_package_is_imported() -> None:
    program = """
import sys
from l3conf.emulator.apiserver.schemas import builtin, openapi
builtin.decode({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}})
builtin.schema("apps/v1", "DaemonSet")
openapi.document("", "v1", [openapi.ServedResource("", "v1", "Pod", "pods", True)])
assert not {"kubernetes", "pydantic"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_good_object_passes_without_its_nulls() -> None:
    decoded = builtin.decode(POD)
    assert decoded.error == ""
    assert decoded.unknown == ()
    assert decoded.obj == {**POD, "metadata": {"name": "p", "labels": {"a": "b"}}}


def test_unknown_fields_are_named_with_their_place_and_dropped() -> None:
    decoded = builtin.decode(pod_with(containers=[{"name": "c", "imgae": "i"}], foo=1))
    assert decoded.unknown == ('unknown field "spec.containers[0].imgae"', 'unknown field "spec.foo"')
    assert decoded.obj["spec"] == {"containers": [{"name": "c"}]}


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            {"containers": [{"ports": [{"containerPort": "80"}]}]},
            (
                "json: cannot unmarshal string into Go struct field "
                "ContainerPort.spec.containers.ports.containerPort of type int32"
            ),
        ),
        ({"containers": {}}, "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type "),
        ({"hostNetwork": "yes"}, "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of "),
        ({"nodeSelector": {"a": 1}}, "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector"),
        ({"containers": [{"resources": {"limits": {"cpu": "x!"}}}]}, "quantities must match the regular expression"),
        (
            {"affinity": []},
            "json: cannot unmarshal array into Go struct field PodSpec.spec.affinity of type v1.Affinity",
        ),
    ],
)
def test_a_wrong_type_is_refused_as_go_does(spec: dict[str, Any], complaint: str) -> None:
    assert builtin.decode(pod_with(**spec)).error.startswith(complaint)


@pytest.mark.parametrize("cpu", [1, 0.5, "500m", "1e3", "2Gi"])
def test_quantities_may_be_numbers(cpu: Any) -> None:  # noqa: ANN401
    limited = {"name": "c", "resources": {"limits": {"cpu": cpu}}}
    assert builtin.decode(pod_with(containers=[limited])).error == ""


def test_ports_of_services_may_have_names() -> None:
    spec = {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}]}
    assert builtin.decode({"apiVersion": "v1", "kind": "Service", "spec": spec}).error == ""


def test_secrets_hold_base64() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"k": "not base64!"}}
    assert "illegal base64 data" in builtin.decode(secret).error


def test_other_kinds_pass_as_they_are() -> None:
    obj = {"apiVersion": "example.org/v1", "kind": "Pod", "spec": {"anything": 1}}
    assert builtin.decode(obj).obj is obj
    assert builtin.schema("example.org/v1", "Pod") is None


def test_schemas_know_how_lists_merge() -> None:
    spec = (builtin.schema("v1", "Service") or {})["properties"]["spec"]["properties"]
    assert spec["ports"]["x-kubernetes-list-map-keys"] == ["port", "protocol"]
    assert spec["ports"]["x-kubernetes-patch-merge-key"] == "port"
    assert spec["selector"]["x-kubernetes-map-type"] == "atomic"
    assert spec["externalIPs"]["x-kubernetes-list-type"] == "atomic"


def test_every_listed_rule_names_a_field_that_exists() -> None:
    from l3conf.emulator.apiserver.schemas import list_rules  # noqa: PLC0415

    for struct, field in [*list_rules._RULES, *list_rules._ATOMIC_FIELDS]:
        if struct == "ContainerRestartRuleOnExitCodes" and not model_source.exists(f"V1{struct}"):
            continue
        candidates = [name for name in (f"V1{struct}", f"CoreV1{struct}") if model_source.exists(name)]
        assert candidates, struct
        assert field in types.fields(candidates[0]), (struct, field)
