"""The parts that are functions from text to values, as tables."""

from __future__ import annotations

import pytest

from l3conf.emulator.apiserver.definitions import priority
from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.jsonpath import find
from l3conf.emulator.apiserver.naming import dns_label, dns_subdomain, label_value, qualified_name
from l3conf.emulator.apiserver.tables import human_duration
from l3conf.emulator.apiserver.web.media import Shape, accepted
from l3conf.emulator.apiserver.web.paths import parse_target


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", ("get", "", "v1", "pods", "", "a", "p")),
        ("GET", "/api/v1/namespaces/a/pods/p/log", ("get", "", "v1", "pods", "log", "a", "p")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "v1", "namespaces", "", "", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "v1", "namespaces", "finalize", "", "a")),
        ("POST", "/apis/apps/v1/namespaces/a/daemonsets", ("create", "apps", "v1", "daemonsets", "", "a", "")),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/a/daemonsets",
            ("deletecollection", "apps", "v1", "daemonsets", "", "a", ""),
        ),
        ("PATCH", "/apis/x.org/v1/things/t/status", ("patch", "x.org", "v1", "things", "status", "", "t")),
        ("GET", "/apis/apps/v1", ("get", "", "", "", "", "", "")),
        ("GET", "/version", ("get", "", "", "", "", "", "")),
    ],
)
def test_a_request_line_says_what_is_asked(method: str, path: str, expected: tuple[str, ...]) -> None:
    t = parse_target(method, path)
    assert (t.verb, t.group, t.version, t.plural, t.subresource, t.namespace, t.name) == expected


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("", Shape.AS_IS),
        ("*/*", Shape.AS_IS),
        ("application/vnd.kubernetes.protobuf,application/json", Shape.AS_IS),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Shape.TABLE),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Shape.AS_IS),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", Shape.PARTIAL_LIST),
    ],
)
def test_the_first_acceptable_way_of_answering_is_taken(header: str, shape: Shape) -> None:
    assert accepted(header).shape is shape


def test_a_client_that_accepts_nothing_served_is_told_so() -> None:
    with pytest.raises(StatusError) as refused:
        accepted("application/xml")
    assert refused.value.code == 406


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        (".metadata.annotations.example\\.org/a", ["x"]),
        (".metadata.annotations['example.org/a']", ["x"]),
        (".items[0].name", ["one"]),
        (".items[-1].name", ["two"]),
        (".items[*].name", ["one", "two"]),
        ('.items[?(@.name=="two")].value', [2]),
        ("{.spec.size}", [3]),
        (".spec.missing.deeper", []),
        (".items[7]", []),
    ],
)
def test_printer_columns_find_their_values(path: str, found: list[object]) -> None:
    obj = {
        "metadata": {"annotations": {"example.org/a": "x"}},
        "spec": {"size": 3},
        "items": [{"name": "one", "value": 1}, {"name": "two", "value": 2}],
    }
    assert find(path, obj) == found


def test_a_jsonpath_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="unsupported JSONPath"):
        find(".a[", {})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (700, "11m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (47 * 3600, "47h"),
        (50 * 3600, "2d2h"),
        (9 * 86400, "9d"),
        (800 * 86400, "2y70d"),
    ],
)
def test_ages_read_as_kubectl_prints_them(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_versions_are_ranked_by_maturity_then_newest() -> None:
    ranked = sorted(["v1alpha1", "foo", "v2", "v1beta2", "v1", "v10", "v1beta10"], key=priority)
    assert ranked == ["v10", "v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"]


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 64, "a.b"])
def test_what_is_no_label_is_refused(name: str) -> None:
    assert dns_label(name)


@pytest.mark.parametrize("name", ["a", "a-b", "0", "a" * 63])
def test_labels_are_subdomains_too(name: str) -> None:
    assert dns_label(name) == dns_subdomain(name) == ""


@pytest.mark.parametrize(
    ("key", "good"), [("a", True), ("x.org/A_b", True), ("/a", False), ("X!/a", False), ("a/", False)]
)
def test_label_keys_are_qualified_names(key: str, *, good: bool) -> None:
    assert (qualified_name(key) == "") is good


@pytest.mark.parametrize(
    ("value", "good"), [("", True), ("A.b_c-1", True), ("-a", False), ("a b", False), ("x" * 64, False)]
)
def test_label_values_are_bounded(value: str, *, good: bool) -> None:
    assert (label_value(value) == "") is good
