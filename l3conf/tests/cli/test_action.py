"""The steps of the GitHub action, run as GitHub runs them, with a stand-in for ``certify``; and GitLab's job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASH = shutil.which("bash") or "bash"
ROOT = Path(__file__).parents[3]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STAND_IN = f"""#!{sys.executable}
import json, pathlib, sys
if sys.argv[1] == "annotate":
    print("::notice title=told::" + " ".join(sys.argv[3:]))
    raise SystemExit
folder = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
if "--broken" not in sys.argv:
    folder.mkdir(parents=True)
    folder.joinpath("report.json").write_text(json.dumps({{"verdict": {{"overall": "NON-CONFORMANT"}}}}))
    folder.joinpath("summary.md").write_text("# summary\\n")
    folder.joinpath("words").write_text(json.dumps(sys.argv[1:]))
raise SystemExit(3 if "--broken" in sys.argv else 1)
"""


def step(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(each for each in ACTION["runs"]["steps"] if each["name"] == name)
    return found


@pytest.fixture
def run_step(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a step's script as ``shell: bash`` does, in an empty workspace."""
    tools = tmp_path / "temp/l3conf/bin"
    tools.mkdir(parents=True)
    (tools / "l3conf").write_text(STAND_IN)
    (tools / "l3conf").chmod(0o755)
    given = {
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "page"),
    }

    def run(name: str, **values: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]],
            cwd=tmp_path,
            env={**given, **values, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


INPUTS = {"IMPLEMENTATION": "my impl.yaml", "LAB": "emulated", "OUTPUT": "the report", "ARGUMENTS": "--seed 7"}


def test_a_run_that_failed_is_told_before_the_action_fails(
    run_step: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = run_step("Certify", **INPUTS)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "::notice title=told::\n"
    assert (tmp_path / "page").read_text() == "# summary\n"
    assert (tmp_path / "output").read_text() == "exit-code=1\nverdict=NON-CONFORMANT\n"
    words = yaml.safe_load((tmp_path / "the report/words").read_text())
    assert words == ["certify", "--impl", "my impl.yaml", "--on", "emulated", "-o", "the report", "--seed", "7"]
    assert run_step("Verdict", CODE="1").returncode == 1
    assert run_step("Verdict", CODE="0").returncode == 0


def test_a_baseline_is_handed_to_the_run_and_to_what_is_told_of_it(
    run_step: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = run_step("Certify", **INPUTS, BASELINE="known failures.yaml")
    assert ran.stdout == "::notice title=told::--baseline known failures.yaml\n"
    words = yaml.safe_load((tmp_path / "the report/words").read_text())
    assert words[-4:] == ["--baseline", "known failures.yaml", "--seed", "7"]


def test_a_run_without_a_report_fails_with_its_exit_code(
    run_step: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert run_step("Certify", **{**INPUTS, "ARGUMENTS": "--broken"}).returncode == 0
    assert (tmp_path / "output").read_text() == "exit-code=3\nverdict=\n"
    assert not (tmp_path / "page").exists()


def test_no_input_is_pasted_into_a_script() -> None:
    """Whoever chooses an input would else choose what is run; values come by the environment alone."""
    for each in ACTION["runs"]["steps"]:
        assert "${{" not in each.get("run", "")
        assert "uses" in each or each["shell"] == "bash"
    named = {
        value
        for each in ACTION["runs"]["steps"]
        for value in map(str, {**each.get("env", {}), **each.get("with", {})}.values())
    }
    asked = {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}
    assert asked <= named


def test_the_action_and_the_job_of_gitlab_use_words_that_certify_has() -> None:
    from l3conf.cli.certify import certify  # noqa: PLC0415 - an import that the other tests here do without

    options = {word for parameter in certify.params for word in parameter.opts}
    job = yaml.safe_load((ROOT / ".ci/gitlab.yml").read_text(encoding="utf-8"))["l3conf"]
    for script in (step("Certify")["run"], *job["script"]):
        line = next(line for line in script.splitlines() if " certify " in line)
        assert {word for word in line.split() if word.startswith("-") and word != "||"} <= options
    assert job["artifacts"]["reports"]["junit"] == "l3conf-report/junit.xml"
    assert "-o l3conf-report " in job["script"][-1]
