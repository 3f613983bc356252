"""What a report must record of a run besides its events: enough to repeat it, and to judge it again offline."""

from __future__ import annotations

import dataclasses
import datetime as dt
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.spec.budgets import Budgets
from l3conf.spec.version import SPEC_VERSION, software_version
from l3conf.verdict import Claims, Exemption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.implementation import Implementation


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run: who was tested, on what ground, under which rules."""

    implementation: Implementation
    lab: str
    """Kind of lab: ``emulated``, ``mininet``, ``kind`` or ``existing``."""
    seed: int
    started_at: dt.datetime
    finished_at: dt.datetime
    budgets: Budgets = field(default_factory=Budgets.default)
    implementation_digest: str = ""
    """SHA-256 of ``impl.yaml``."""
    topologies: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the topology file by name of the topology."""
    crds: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of every CRD that the clusters served, by name."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of what the result may depend on besides l3conf, Python and kernel."""
    filter: str = ""
    """How tests were left out, as the command line has it; empty if none were."""
    exemptions: tuple[Exemption, ...] = ()

    @property
    def claims(self) -> Claims:
        """What the implementation has to prove."""
        return Claims(profiles=self.implementation.profiles, features=self.implementation.features)

    @property
    def today(self) -> dt.date:
        """The day on which exemptions are judged: the run's, so that judging again gives the same."""
        return self.finished_at.astimezone(dt.UTC).date()


def implementation_json(facts: RunFacts) -> dict[str, Any]:
    """Return the part of a report that names the implementation."""
    implementation = facts.implementation
    return {
        "name": implementation.name,
        "version": implementation.version,
        "organization": implementation.organization,
        "url": implementation.url,
        "profiles": sorted(implementation.profiles),
        "features": sorted(implementation.features),
        "residue": list(implementation.residue),
        "digest": facts.implementation_digest,
        "exemptions": [
            {**dataclasses.asdict(exemption), "expires": exemption.expires.isoformat()}
            for exemption in sorted(facts.exemptions, key=lambda exemption: exemption.requirement)
        ],
    }


def run_json(facts: RunFacts) -> dict[str, Any]:
    """Return the part of a report that names ground and rules."""
    return {
        "specVersion": SPEC_VERSION,
        "lab": facts.lab,
        "seed": facts.seed,
        "startedAt": timestamp(facts.started_at),
        "finishedAt": timestamp(facts.finished_at),
        "filter": facts.filter,
        "kernel": platform.release(),
        "versions": {
            "l3conf": software_version(),
            "python": platform.python_version(),
            **dict(sorted(facts.versions.items())),
        },
        "topologies": [{"name": name, "sha256": facts.topologies[name]} for name in sorted(facts.topologies)],
        "crds": [{"name": name, "sha256": facts.crds[name]} for name in sorted(facts.crds)],
        "budgets": budgets_json(facts.budgets),
    }


def budgets_json(budgets: Budgets) -> list[dict[str, Any]]:
    """Return the whole table with what was in force."""
    return [
        {
            "name": budget.name,
            "seconds": budgets.get(budget.name),
            "default": budget.seconds,
            "loosened": budget.is_loosened_by(budgets.get(budget.name)),
        }
        for budget in budgets
    ]


def timestamp(time: dt.datetime) -> str:
    """Spell a moment as RFC 3339 in UTC, to the second."""
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
