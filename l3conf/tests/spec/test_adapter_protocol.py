"""The page that implementers read is true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from l3conf.model.implementation import REQUIRED_VERBS, Verb
from l3conf.spec.files import load_exemptions, load_implementation
from l3conf.spec.package_data import package_file

if TYPE_CHECKING:
    from pathlib import Path

PAGE = package_file("adapter-protocol.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_example_file_loads(tmp_path: Path) -> None:
    (tmp_path / "hooks.sh").write_text("#!/bin/sh\n")
    (tmp_path / "hooks.sh").chmod(0o755)
    (tmp_path / "impl.yaml").write_text(block("yaml"), encoding="utf-8")
    assert load_implementation(tmp_path / "impl.yaml").name == "mylink"
    assert [exemption.requirement for exemption in load_exemptions(tmp_path / "impl.yaml")] == ["L3-K5"]


def test_the_example_input_is_json() -> None:
    assert json.loads(block("json"))["verb"] == "join"


def test_the_table_of_verbs_is_complete() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE, re.MULTILINE))
    assert rows == {verb.value: "yes" if verb in REQUIRED_VERBS else "no" for verb in Verb}
