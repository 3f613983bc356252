"""``--topology FILE``: scenarios run on a cluster set that their marks do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.collection import Use, lab_name
from l3conf.tests.suite.test_plugin import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = "pytester"
SCENARIOS = """
import pytest
from l3conf.plugin.marks import verifies

@verifies("L3-F5")
@pytest.mark.topology("two-clusters")
def test_on_one(topology): ...

@verifies("L3-F5")
@pytest.mark.topology("two-clusters", "v6-only")
def test_in_each_family(topology, family): ...

@verifies("L3-F5")
@pytest.mark.topology("v6-only")
def test_in_one(topology, family): ...
"""
MINE = """
apiVersion: l3conf.io/v1alpha1
kind: Topology
metadata: {name: mine}
spec:
  clusters:
    - name: berlin
      podCIDRs: [10.1.0.0/16]
      serviceCIDRs: [10.101.0.0/16]
      nodeCIDRs: [172.16.1.0/24]
      nodes: [{name: n, gateway: true}]
"""


@pytest.fixture
def mine(pytester: pytest.Pytester) -> Path:
    folder = pytester.mkdir("topologies-of-mine")
    file = folder / "mine.yaml"
    file.write_text(MINE, encoding="utf-8")
    return file


@pytest.fixture
def collected(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    def collect(*arguments: str) -> pytest.RunResult:
        pytester.makepyfile(SCENARIOS)
        return pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:cacheprovider", *arguments)

    return collect


def ids(result: pytest.RunResult) -> set[str]:
    return {line.partition("::")[2] for line in result.outlines if "::" in line}


def test_scenarios_run_on_the_file_instead_and_in_its_families(
    collected: Callable[..., pytest.RunResult], mine: Path
) -> None:
    assert ids(collected("--topology", str(mine))) == {
        "test_on_one[mine]",
        "test_in_each_family[mine-IPv4]",
        "test_in_one[mine]",
    }


def test_a_name_still_restricts(collected: Callable[..., pytest.RunResult]) -> None:
    ran = ids(collected("--topology", "v6-only"))
    assert ran == {"test_in_each_family[v6-only-IPv6]", "test_in_one[v6-only-IPv6]"}


def test_what_is_not_asked_in_its_families_says_so(pytester: pytest.Pytester, mine: Path) -> None:
    pytester.makepyfile(SCENARIOS)
    paper = pytester.path / "impl.yaml"
    paper.write_text(IMPLEMENTATION, encoding="utf-8")
    words = ("-rs", "-p", "no:cacheprovider", "-k", "in_one", "--impl", str(paper), "--topology", str(mine))
    result = pytester.runpytest_inprocess(*words)
    result.assert_outcomes(skipped=1, deselected=2)
    result.stdout.fnmatch_lines(["SKIPPED*it asks in IPv6; of families, all of mine have IPv4"])


def test_a_file_that_is_not_there_is_named(collected: Callable[..., pytest.RunResult]) -> None:
    result = collected("--topology", "elsewhere/mine.yaml")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--topology elsewhere/mine.yaml*there is no such file*"])


def test_two_that_have_one_name_are_refused(
    collected: Callable[..., pytest.RunResult], mine: Path, pytester: pytest.Pytester
) -> None:
    """A file given twice is one, whichever way it is spelled."""
    other = pytester.mkdir("others") / "mine.yaml"
    other.write_text(MINE, encoding="utf-8")
    for pair in ((mine, other), (other, "mine")):
        result = collected(*(word for each in pair for word in ("--topology", str(each))))
        assert result.ret is pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*--topology {pair[1]}*has the name of {pair[0]}*rename one of the files*"])
    twice = collected("--topology", str(mine), "--topology", "topologies-of-mine/mine.yaml")
    assert ids(twice) == {
        "test_on_one[mine]",
        "test_in_each_family[mine-IPv4]",
        "test_in_one[mine]",
    }


ALIKE = """
import pytest
from l3conf.plugin.marks import verifies

@verifies("L3-F5")
@pytest.mark.topology("v6-only")
def test_in_ipv6(lab): ...

@verifies("L3-F5")
@pytest.mark.topology("identical-ranges")
def test_about_ranges_in_common(lab): ...
"""


def test_what_is_about_other_families_or_ranges_builds_no_lab_and_says_so(
    pytester: pytest.Pytester, mine: Path
) -> None:
    pytester.makepyfile(ALIKE)
    paper = pytester.path / "impl.yaml"
    paper.write_text(IMPLEMENTATION, encoding="utf-8")
    words = ("-rs", "-p", "no:cacheprovider", "--impl", str(paper), "--topology", str(mine))
    result = pytester.runpytest_inprocess(*words)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*it asks in IPv6, and not all clusters of mine have that",
            "SKIPPED*it is about clusters that have ranges in common, and those of mine have ranges of their own",
        ]
    )


def test_labs_and_reports_are_named_by_the_file(mine: Path) -> None:
    assert lab_name(str(mine), Use.SHARED) == "mine"
    assert lab_name(str(mine), Use.DISTURBED) == "mine-disturbed"
    assert lab_name("two-clusters", Use.SHARED) == "two-clusters"
