"""What only the implementation can do: be installed, make clusters members, let them go, be removed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.adapter import HookRequest, HookUnavailable
from l3conf.adapter.broker_access import read_broker_access
from l3conf.errors import HookFailedError, HookTimeoutError, LabIncapableError
from l3conf.labs.base import Capability
from l3conf.model.implementation import Verb
from l3conf.plugin.recorder import UNSUPPORTED

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from pathlib import Path

    from l3conf.adapter import HookRunner
    from l3conf.adapter.broker_access import BrokerAccess
    from l3conf.labs.base import Lab as Ground
    from l3conf.spec.budgets import Budgets


@dataclass(slots=True)
class Membership:
    """The implementation's hooks on one lab, and who is a member by what they did.

    Hooks that hang, lie or crash raise ``ImplementationError``; a verb that the implementation does not have makes
    the rows that need it untestable (a skip with that reason).
    """

    ground: Ground
    hooks: HookRunner
    budgets: Budgets
    work_directory: Path
    """The hooks' own, of this lab alone: credentials of one lab's broker must not meet another's."""
    joined: list[str] = field(default_factory=list)
    joined_at: float = 0.0
    """``time.monotonic`` when the last join hook had ended."""
    starts_at: str = ""
    """Version that is installed at first; empty: the one under test."""
    accesses: dict[str, BrokerAccess | None] = field(default_factory=dict)
    """Where members keep their credentials at the broker, as their join hooks told."""
    _installed: bool = False
    """Whether a hook has begun to install something and none has begun to remove it."""

    def install(self, canary: random.Random) -> None:
        """Check the canary, deploy, and join every cluster; then wait for nothing.

        Where the implementation stands already, all clusters count as members.
        """
        if not self._may_change:
            self.joined = [cluster.name for cluster in self.ground.topology.clusters]
            self.joined_at = time.monotonic()
            return
        self.hooks.check_canary(self._request(), canary, timeout=self.budgets.get("T_canary"))
        self.deploy()
        for cluster in self.ground.topology.clusters:
            self.join(cluster.name)

    def deploy(self) -> None:
        """Install into the broker and every cluster, whatever is there already."""
        self._call(Verb.DEPLOY, version=self.starts_at)

    def join(self, cluster: str) -> None:
        """Make a cluster that left a member again; wait for nothing."""
        self.accesses[cluster] = read_broker_access(self._call(Verb.JOIN, cluster, version=self.starts_at))
        self.joined.append(cluster)
        self.joined_at = time.monotonic()

    def join_under(self, cluster: str, name: str) -> bool:
        """Let a cluster join under the id that another member has; return whether its hook refused (exit code 1).

        The hook is told what that cluster's operator would tell: his own cluster, under a name that is taken.
        """
        request = HookRequest(lab=self.ground, work_directory=self.work_directory, cluster=name, posing=cluster)
        self._must_change()
        try:
            self.hooks.run(Verb.JOIN, request, timeout=self.budgets.get("T_hook"))
        except HookFailedError:
            return True
        return False

    def revoke(self, cluster: str) -> float:
        """Expel a member; return ``time.monotonic`` when the hook had ended. Unsupported without the verb."""
        self._call(Verb.REVOKE, cluster, optional=True)
        self.joined.remove(cluster)
        return time.monotonic()

    def rotate(self, cluster: str) -> float:
        """Have a member use new keys; return ``time.monotonic`` when that was accepted."""
        self._call(Verb.ROTATE, cluster, optional=True)
        return time.monotonic()

    def upgrade(self, cluster: str, version: str) -> float:
        """Bring a member, or the broker without one, to a version; ``time.monotonic`` when its roll-out was begun."""
        self._call(Verb.UPGRADE, cluster, optional=True, version=version)
        return time.monotonic()

    def leave(self, cluster: str) -> float:
        """Take a cluster out of the set; return ``time.monotonic`` when the hook had ended."""
        self._call(Verb.LEAVE, cluster)
        self.joined.remove(cluster)
        return time.monotonic()

    def remove(self) -> float:
        """Take the implementation out everywhere; return ``time.monotonic`` when the hook had ended."""
        self._call(Verb.REMOVE)
        self.joined.clear()
        return time.monotonic()

    def begin_to_deploy(self, seconds: float) -> bool:
        """Have the installation over what is there killed after so many seconds; say whether it had ended by then."""
        return self._begin(Verb.DEPLOY, seconds)

    def begin_to_remove(self, seconds: float) -> bool:
        """Have the removal killed after so many seconds; say whether it had ended by then."""
        self.joined.clear()
        return self._begin(Verb.REMOVE, seconds)

    def take_out(self) -> None:
        """Remove what was installed from a ground that outlives the lab; nothing if it was not, or is gone."""
        if self._installed and self._may_change:
            self._installed = False
            self.hooks.run(Verb.REMOVE, self._request(), timeout=self.budgets.get("T_hook"))

    @property
    def _may_change(self) -> bool:
        return Capability.MEMBERSHIP in self.ground.capabilities

    def _must_change(self) -> None:
        if not self._may_change:
            raise LabIncapableError(f"the {self.ground.kind} lab cannot do: {Capability.MEMBERSHIP.value}")

    def _begin(self, verb: Verb, seconds: float) -> bool:
        self._must_change()
        try:
            self.hooks.run(verb, self._request(), timeout=seconds)
        except HookTimeoutError:
            return False
        return True

    def _call(self, verb: Verb, cluster: str = "", *, optional: bool = False, version: str = "") -> Mapping[str, Any]:
        self._must_change()
        self._installed = verb is not Verb.REMOVE
        timeout = self.budgets.get("T_deploy" if verb is Verb.DEPLOY else "T_hook")
        answer = self.hooks.run(verb, self._request(cluster, version), timeout=timeout)
        if isinstance(answer, HookUnavailable):
            pytest.skip(f"{UNSUPPORTED if optional else ''}{answer.reason}")
        return answer.output

    def _request(self, cluster: str = "", version: str = "") -> HookRequest:
        return HookRequest(
            lab=self.ground,
            work_directory=self.work_directory,
            cluster=cluster,
            version=version,
            cable_drivers=self.hooks.implementation.cable_drivers,
        )
