"""What Allure shows of a scenario: its requirements, the moments of its run as steps, and its evidence as files.

Imported only where ``--alluredir`` was given.
"""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

import allure

from l3conf.report.redaction import redact
from l3conf.spec.catalogue import Level

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from l3conf.plugin.run import Moment
    from l3conf.spec.catalogue import Requirement

_TYPES = {".log": "text/plain", ".pcap": "application/vnd.tcpdump.pcap"}


def label(requirements: Iterable[Requirement]) -> None:
    """File the test that runs under the features and rows that it verifies."""
    for row in requirements:
        allure.dynamic.feature(row.feature)
        allure.dynamic.story(f"{row.id} {row.title}")
        allure.dynamic.severity(allure.severity_level.CRITICAL if row.level is Level.MUST else "normal")


def tell(moments: Iterable[Moment], since: float) -> None:
    """Add a step for each of these moments of a test that began at ``since`` (``time.monotonic``)."""
    for moment in moments:
        with allure.step(redact(f"{moment.time - since:.2f} s  {moment.text}")):
            pass


def attach(folder: Path, files: Iterable[str]) -> None:
    """Attach files, by their paths in a folder."""
    for name in files:
        suffix = (folder / name).suffix
        kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
        allure.attach.file(str(folder / name), name=name, attachment_type=kind, extension=suffix.lstrip("."))
