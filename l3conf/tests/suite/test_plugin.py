"""The plugin in small pytest runs of its own. No lab is opened: what needs one is given a broken implementation."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.allure_run import properties
from l3conf.report.events import HarnessFailed, RunStarted, TestFinished, read_all_events
from l3conf.report.verify import verify_report
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.report.events import Event

pytest_plugins = "pytester"

SCENARIO = """
import pytest
from l3conf.errors import HookFailedError, LabError, LabIncapableError
from l3conf.plugin.marks import verifies

@verifies("L3-F5")
@pytest.mark.topology("two-clusters")
def test_it():
    {body}
"""
IMPLEMENTATION = """
apiVersion: l3conf.io/v1alpha1
kind: Implementation
metadata: {name: paper}
spec:
  version: "1"
  hooks: {command: ["true"], verbs: [deploy, join, leave, remove]}
"""


@pytest.fixture
def implementation(pytester: pytest.Pytester) -> Path:
    path = pytester.path / "impl.yaml"
    path.write_text(IMPLEMENTATION, encoding="utf-8")
    return path


def run(pytester: pytest.Pytester, implementation: Path, *arguments: str, **files: str) -> pytest.RunResult:
    pytester.makepyfile(**files)
    report = ("--report", str(pytester.path / "out"))
    words = ("--impl", str(implementation), *report, "-p", "no:cacheprovider", *arguments)
    return pytester.runpytest_subprocess(*words) if "-n" in words else pytester.runpytest_inprocess(*words)


def events(pytester: pytest.Pytester) -> list[Event]:
    return [event for file in read_all_events(pytester.path / "out" / "events") for event in file.events]


def verdict_of(pytester: pytest.Pytester) -> Verdict:
    (finished,) = [event for event in events(pytester) if isinstance(event, TestFinished)]
    return Verdict(finished.outcome)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("pass", Verdict.PASS),
        ("assert 1 == 2", Verdict.FAIL),
        ("pytest.fail('no')", Verdict.FAIL),
        ("raise LabError('lab')", Verdict.ERROR),
        ("raise HookFailedError('hook')", Verdict.ERROR),
        ("raise KeyError('bug')", Verdict.ERROR),
        ("pytest.skip('no raw packets here')", Verdict.UNTESTABLE),
        ("raise LabIncapableError('the existing lab cannot do: node-state')", Verdict.UNTESTABLE),
    ],
)
def test_what_a_test_ends_in_decides_its_verdict(
    pytester: pytest.Pytester, implementation: Path, body: str, verdict: Verdict
) -> None:
    run(pytester, implementation, test_one=SCENARIO.format(body=body))
    assert verdict_of(pytester) is verdict


BUSY = """import pathlib
    from l3conf.errors import BusyHostError
    tries = pathlib.Path("tries")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) {when}:
        raise BusyHostError("the sender was silent for 1 s")
    {then}"""


@pytest.mark.parametrize(
    ("when", "then", "verdict"),
    [("== 1", "pass", Verdict.PASS), ("== 1", "assert 1 == 2", Verdict.FAIL), (">= 1", "pass", Verdict.ERROR)],
    ids=["succeeds then", "fails then", "is too busy again"],
)
def test_what_a_busy_host_spoiled_begins_anew_once_and_the_report_says_so(
    pytester: pytest.Pytester, implementation: Path, when: str, then: str, verdict: Verdict
) -> None:
    body = SCENARIO.format(body=BUSY.format(when=when, then=then))
    result = run(pytester, implementation, "--timeout=60", test_one=body)
    assert (pytester.path / "tries").read_text() == "xx"
    assert verdict_of(pytester) is verdict
    outcomes = result.parseoutcomes()
    assert sum(outcomes.get(word, 0) for word in ("passed", "failed", "errors")) == 1
    report = json.loads((pytester.path / "out" / "report.json").read_text())
    (repeat,) = report["repeats"]
    assert repeat["test"] == "test_one.py::test_it"
    assert repeat["message"] == "BusyHostError: the sender was silent for 1 s (a less busy host)"
    assert repeat["message"].split(": ")[1] in (pytester.path / "out" / "summary.md").read_text()
    assert verify_report(pytester.path / "out").problems == ()


def test_a_filtered_run_is_never_conformant_and_says_how_it_was_filtered(
    pytester: pytest.Pytester, implementation: Path
) -> None:
    result = run(pytester, implementation, "-k", "it", test_one=SCENARIO.format(body="pass"))
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["run"]["filter"] == "-k it"
    assert report["harnessErrors"] == [], "the one process that there is has ended its record before the report"
    assert report["verdict"]["overall"] == "INCOMPLETE"
    assert {row["id"]: row["verdict"] for row in report["rows"]}["L3-F5"] == "pass"
    result.stdout.fnmatch_lines(["*INCOMPLETE*"])


def test_tests_that_are_left_out_are_collected_and_not_run(pytester: pytest.Pytester, implementation: Path) -> None:
    run(pytester, implementation, "--row", "L3-F1", test_one=SCENARIO.format(body="pass"))
    (started,) = [event for event in events(pytester) if isinstance(event, RunStarted)]
    assert started.tests == {"test_one.py::test_it": ["L3-F5"]}
    assert not [event for event in events(pytester) if isinstance(event, TestFinished)]


@pytest.mark.parametrize(("features", "tests"), [("[]", 1), ("[NATOneSided]", 2)])
def test_what_only_some_implementations_are_asked_is_no_part_of_the_row_for_others(
    pytester: pytest.Pytester, implementation: Path, features: str, tests: int
) -> None:
    implementation.write_text(f"{IMPLEMENTATION}  features: {features}\n", encoding="utf-8")
    asked = SCENARIO.format(body="pass").replace("def test_it", '@pytest.mark.declared("NATOneSided")\ndef test_it')
    run(pytester, implementation, test_all=SCENARIO.format(body="pass"), test_some=asked)
    (started,) = [event for event in events(pytester) if isinstance(event, RunStarted)]
    assert len(started.tests) == tests
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert {row["id"]: row["verdict"] for row in report["rows"]}["L3-F5"] == "pass"


DRAWN = ("timeline-1.svg", "timeline-1.png")
KEEPING = """
import pytest
from l3conf.expectations.timeline import Moment, Row, Timeline
from l3conf.plugin.fixtures import RUN
from l3conf.plugin.marks import verifies

@verifies("L3-F5")
@pytest.mark.topology("two-clusters")
def test_it(request):
    run = request.config.stash[RUN]
    secret = "password=very" + "secret"
    run.note(f"all is well, {{secret}}")
    run.keep("stream.json", "{{}}")
    run.keep("wan.pcap", bytes.fromhex("d4c3b2a1"))
    run.keep("timeline", Timeline((Row("a", 0, 1, 2, ()),), (Moment(1, secret),)))
    {body}
"""


@pytest.mark.parametrize(
    ("words", "body", "kept"),
    [
        (("--evidence", "all"), "pass", {"stream-1.json", "wan-1.pcap", *DRAWN}),
        ((), "pass", set()),
        ((), "assert 0", {"stream-1.json", "wan-1.pcap", *DRAWN, "message.txt", "replay.txt"}),
        (("--evidence", "none"), "assert 0", set()),
    ],
)
def test_evidence_is_kept_of_the_tests_that_were_named(
    pytester: pytest.Pytester, implementation: Path, words: tuple[str, ...], body: str, kept: set[str]
) -> None:
    pytester.makepyfile(test_one=KEEPING.format(body=body))
    # By itself: what pytester takes out of this process afterwards, NumPy does not bear to be imported again.
    options = ("--impl", str(implementation), "--report", "out", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*options, *words)
    (finished,) = [event for event in events(pytester) if isinstance(event, TestFinished)]
    found = {path.rpartition("/")[2]: pytester.path / "out" / path for path in finished.evidence}
    assert set(found) - {"timeline.txt"} == kept
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert {entry["path"] for entry in report["evidence"]} == set(finished.evidence)
    summary = (pytester.path / "out" / "summary.md").read_text(encoding="utf-8")
    assert ("timeline-1.png)" in summary) == bool(kept)
    if kept:
        assert b"verysecret" not in found["timeline-1.svg"].read_bytes()


@pytest.mark.parametrize(
    ("body", "status"),
    [("assert 0", "failed"), ("raise OSError('no lab')", "broken"), ("pytest.skip('no SCTP')", "skipped")],
)
def test_allure_tells_failures_from_what_broke_and_knows_the_ground(
    pytester: pytest.Pytester, implementation: Path, body: str, status: str
) -> None:
    pytester.makepyfile(test_one=KEEPING.format(body=body))
    pytester.runpytest_subprocess("--impl", str(implementation), "--alluredir", "allure", "-p", "no:cacheprovider")
    folder = pytester.path / "allure"
    (file,) = folder.glob("*-result.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["status"] == status
    meant = [
        category["name"]
        for category in json.loads((folder / "categories.json").read_text(encoding="utf-8"))
        if status in category["matchedStatuses"]
        and re.fullmatch(category.get("messageRegex", "(?s).*"), result["statusDetails"]["message"])
    ]
    assert len(meant) == 1
    ground = dict(line.split("=", 1) for line in (folder / "environment.properties").read_text().splitlines())
    assert (ground["lab"], ground["specification"]) == ("emulated", "v1alpha1")


def test_what_allure_reads_survives_its_spelling() -> None:
    assert properties({"kernel": "6.1\\x\n\u00e4"}) == "kernel=6.1\\\\x\\n\\u00e4\n"


def test_allure_gets_requirements_steps_and_evidence(pytester: pytest.Pytester, implementation: Path) -> None:
    pytester.makepyfile(test_one=KEEPING.format(body="assert 0"))
    pytester.runpytest_subprocess("--impl", str(implementation), "--alluredir", "allure", "-p", "no:cacheprovider")
    (file,) = (pytester.path / "allure").glob("*-result.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert ("severity", "critical") in labels
    assert [value for name, value in labels if name == "story" and value.startswith("L3-F5 ")]
    assert [step for step in result["steps"] if "all is well" in step["name"]]
    drawn = [each for each in result["attachments"] if each["name"].endswith("timeline-1.png")]
    assert [(pytester.path / "allure" / each["source"]).read_bytes()[:4] for each in drawn] == [b"\x89PNG"]
    assert {each["type"] for each in drawn} == {"image/png"}
    captured = [each for each in result["attachments"] if each["name"].endswith("wan-1.pcap")]
    assert [(pytester.path / "allure" / each["source"]).read_bytes() for each in captured] == [b"\xd4\xc3\xb2\xa1"]
    assert {each["type"] for each in captured} == {"application/vnd.tcpdump.pcap"}
    secret = [path for path in (pytester.path / "allure").iterdir() if b"verysecret" in path.read_bytes()]
    assert secret == [], "what is sent to Allure is redacted as well"


def test_an_unknown_requirement_is_an_error_of_collection(pytester: pytest.Pytester, implementation: Path) -> None:
    result = run(pytester, implementation, test_one=SCENARIO.format(body="pass").replace("L3-F5", "L3-F55"))
    result.stdout.fnmatch_lines(["*there is no requirement 'L3-F55'*"])
    failed = [event.message for event in events(pytester) if isinstance(event, HarnessFailed)]
    assert [message for message in failed if "test_one.py could not be collected" in message]


def test_a_scenario_without_a_topology_is_a_usage_error(pytester: pytest.Pytester, implementation: Path) -> None:
    text = SCENARIO.format(body="pass").replace('@pytest.mark.topology("two-clusters")', "")
    result = run(pytester, implementation, test_one=text)
    result.stderr.fnmatch_lines(["*a scenario needs @pytest.mark.topology(name)*"])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--budget", "T_jion=3"), "unknown budget*did you mean*T_join"),
        (("--budget", "T_join"), "write NAME=SECONDS"),
        (("--row", "L3-F99"), "there is no requirement"),
        (("--on", "moon"), "invalid choice"),
    ],
)
def test_wrong_options_are_usage_errors_that_name_the_remedy(
    pytester: pytest.Pytester, implementation: Path, option: tuple[str, str], words: str
) -> None:
    result = run(pytester, implementation, *option, test_one=SCENARIO.format(body="pass"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


def test_scenarios_of_one_lab_stay_on_one_worker(pytester: pytest.Pytester, implementation: Path) -> None:
    text = SCENARIO.format(body="pass")
    disturbing = text.replace("def test_it():", "@pytest.fixture\ndef fresh_lab(): ...\n\ndef test_it(fresh_lab):")
    disturbing = disturbing.replace('@verifies("L3-F5")\n@pytest.mark.topology("two-clusters")\n', "")
    disturbing = disturbing.replace(
        "def test_it(", '@verifies("L3-F5")\n@pytest.mark.topology("two-clusters")\ndef test_it('
    )
    files = {f"test_{letter}": text for letter in "abcd"}
    run(pytester, implementation, "-n", "2", "--dist", "loadgroup", **files, test_e=disturbing)
    ran = {
        file.worker: {event.test for event in file.events if isinstance(event, TestFinished)}
        for file in read_all_events(pytester.path / "out" / "events")
    }
    looked_at = {f"test_{letter}.py::test_it" for letter in "abcd"}
    assert sorted(ran.values(), key=len) == [{"test_e.py::test_it"}, looked_at]


def test_patient_tests_come_last_and_to_the_worker_that_has_their_lab(
    pytester: pytest.Pytester, implementation: Path
) -> None:
    text = SCENARIO.format(body="pass")
    patient = text.replace("def test_it():", "@pytest.mark.patient\ndef test_it():")
    taken_apart = text.replace("def test_it():", "@pytest.mark.dismantles\ndef test_it():")
    others = {
        f"test_{name.replace('-', '_')}": text.replace("two-clusters", name)
        for name in ("chain-of-three", "dual-stack", "v6-only", "twelve-clusters")
    }
    files = {"test_a": patient, "test_b": taken_apart, "test_c": text, "test_d": text} | others
    run(pytester, implementation, "-n", "2", "--dist", "loadgroup", **files)
    ran = [
        [event.test.partition(".py")[0] for event in file.events if isinstance(event, TestFinished)]
        for file in read_all_events(pytester.path / "out" / "events")
    ]
    assert sorted(name for names in ran for name in names) == sorted(files)
    (owner,) = [names for names in ran if "test_c" in names]
    assert owner[-2:] == ["test_a", "test_b"], "the connection is asked for before the lab is taken apart"
    assert "test_d" in owner


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadgroup")], ids=["alone", "with workers"])
def test_a_run_that_ended_in_order_has_no_errors_of_the_harness(
    pytester: pytest.Pytester, implementation: Path, workers: tuple[str, ...]
) -> None:
    result = run(pytester, implementation, *workers, test_one=SCENARIO.format(body="pass"))
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["harnessErrors"] == []
    result.stdout.fnmatch_lines(["INCOMPLETE: *", "report: *"])


RECORDING = """
from types import SimpleNamespace
import l3conf.plugin.pool
from l3conf.plugin.collection import lab_name

class Pool:
    ground = SimpleNamespace(capabilities=frozenset(), kind="paper")
    topology = SimpleNamespace(clusters=())
    def __init__(self, run): pass
    def say(self, text):
        with open("said", "a") as file:
            print(text, file=file)
    def connected(self, topology, use):
        self.say(lab_name(topology, use))
        return self
    def retire(self, name): self.say(f"{name} ends")
    def close(self): self.say("rest ends")

l3conf.plugin.pool.LabPool = Pool
"""


def test_a_lab_ends_with_the_last_test_that_needs_it(pytester: pytest.Pytester, implementation: Path) -> None:
    text = SCENARIO.format(body="pass").replace("def test_it():", "def test_it(lab):")
    patient = text.replace("def test_it", "@pytest.mark.patient\ndef test_it")
    other = text.replace("two-clusters", "dual-stack")
    files = {"test_a": patient, "test_b": text, "test_c": other, "test_d": other, "conftest": RECORDING}
    run(pytester, implementation, "-n", "1", "--dist", "loadgroup", **files)
    said = (pytester.path / "said").read_text(encoding="utf-8").splitlines()
    assert sorted(said[:4]) == ["dual-stack", "dual-stack", "dual-stack ends", "two-clusters"]
    assert said[-3:] == ["two-clusters", "two-clusters ends", "rest ends"]


@pytest.mark.parametrize(("body", "verdict"), [("pass", "pass"), ("assert lab and 'west'", "untestable")])
def test_a_test_that_spells_out_names_is_untestable_where_clusters_have_others(
    pytester: pytest.Pytester, implementation: Path, body: str, verdict: str
) -> None:
    named = RECORDING.replace("clusters=()", "clusters=[SimpleNamespace(name='east'), SimpleNamespace(name='prod-2')]")
    text = SCENARIO.format(body=body).replace("def test_it():", "def test_it(lab):")
    run(pytester, implementation, test_one=text, conftest=named)
    (finished,) = [event for event in events(pytester) if isinstance(event, TestFinished)]
    assert finished.outcome == verdict
    if body != "pass":
        assert finished.message.endswith("it names west, and the clusters here are east, prod-2")


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "*--contexts: 0 clusters were named*"), (("--contexts", "a,b", "-n", "2"), "*one lab stands at a time*")],
)
def test_existing_clusters_are_named_and_take_one_worker(
    pytester: pytest.Pytester, implementation: Path, words: tuple[str, ...], said: str
) -> None:
    pytester.makepyfile(test_one=SCENARIO.format(body="pass"))
    result = pytester.runpytest_subprocess("--impl", str(implementation), "--on", "existing", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_a_worker_that_dies_leaves_an_error_and_no_pass(pytester: pytest.Pytester, implementation: Path) -> None:
    text = SCENARIO.format(body="import os; os._exit(9)")
    run(pytester, implementation, "-n", "1", "--dist", "loadgroup", "--max-worker-restart", "0", test_one=text)
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert {row["id"]: row["verdict"] for row in report["rows"]}["L3-F5"] == "error"
    assert [line for line in report["harnessErrors"] if "ended without saying so" in line]


def test_tests_that_are_no_scenarios_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_b(): pass\ndef test_a(): pass")
    result = pytester.runpytest_inprocess("-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_b PASSED*", "*test_a PASSED*"])


def test_the_order_is_by_lab_then_dismantling_then_row(pytester: pytest.Pytester, implementation: Path) -> None:
    text = SCENARIO.format(body="pass")
    result = run(
        pytester,
        implementation,
        "--collect-only",
        "-q",
        test_a=text.replace("@verifies", "@pytest.mark.dismantles\n@verifies"),
        test_b=text.replace("L3-F5", "L3-F10"),
        test_c=text.replace("L3-F5", "L3-A1").replace("def test_it():", "def test_it(fresh_lab):"),
        test_d=text,
    )
    listed = [line.partition("::")[0] for line in result.stdout.lines if "::" in line]
    assert listed == ["test_d.py", "test_b.py", "test_a.py", "test_c.py"]


EVERYWHERE = """
import pytest
from l3conf.plugin.marks import verifies

@pytest.fixture
def lab(topology): return topology

@verifies("L3-F5", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "dual-stack", "v6-only")
def test_it(lab, family, topology):
    assert lab == topology
"""


def test_a_scenario_runs_on_each_of_its_topologies_in_each_family_that_they_have(
    pytester: pytest.Pytester, implementation: Path
) -> None:
    implementation.write_text(IMPLEMENTATION.replace("spec:", "spec:\n  profiles: [core, ipv6]"), encoding="utf-8")
    run(pytester, implementation, test_one=EVERYWHERE)
    ran = [event for event in events(pytester) if isinstance(event, TestFinished)]
    assert {(event.topology, event.test.partition("[")[2], *event.rows) for event in ran} == {
        ("two-clusters", "two-clusters-IPv4]", "L3-F5"),
        ("dual-stack", "dual-stack-IPv4]", "L3-F5"),
        ("dual-stack", "dual-stack-IPv6]", "L3-G1"),
        ("v6-only", "v6-only-IPv6]", "L3-G1"),
    }
    assert {event.outcome for event in ran} == {"pass"}


def test_a_brief_run_tries_each_row_on_the_first_ground_where_it_is_proved_and_is_filtered(
    pytester: pytest.Pytester, implementation: Path
) -> None:
    implementation.write_text(IMPLEMENTATION.replace("spec:", "spec:\n  profiles: [core, ipv6]"), encoding="utf-8")
    run(pytester, implementation, "--brief", test_one=EVERYWHERE)
    ran = [event for event in events(pytester) if isinstance(event, TestFinished)]
    assert {(event.topology, *event.rows) for event in ran} == {("two-clusters", "L3-F5"), ("dual-stack", "L3-G1")}
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["run"]["filter"] == "--brief"


def test_a_row_over_ipv6_is_unsupported_where_ipv6_is_not_claimed(
    pytester: pytest.Pytester, implementation: Path
) -> None:
    run(pytester, implementation, test_one=EVERYWHERE)
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    verdicts = {row["id"]: row["verdict"] for row in report["rows"]}
    assert (verdicts["L3-F5"], verdicts["L3-G1"]) == ("pass", "unsupported")


def test_a_worker_begins_with_the_lab_that_takes_longest(pytester: pytest.Pytester, implementation: Path) -> None:
    """By the windows that its tests wait out, not by their number."""
    text = SCENARIO.format(body="pass")
    patient = text.replace("two-clusters", "dual-stack").replace("pass", "name = 'W_steady'")
    files = {"test_a": text, "test_b": text, "test_c": patient}
    run(pytester, implementation, "-n", "1", "--dist", "loadgroup", **files)
    (events,) = read_all_events(pytester.path / "out" / "events")
    ran = [event.test.partition(".py")[0] for event in events.events if isinstance(event, TestFinished)]
    assert ran == ["test_c", "test_a", "test_b"]
