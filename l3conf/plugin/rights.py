"""What members may do at the broker, tried with their own credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.plugin.member_account import confidential, open_account
from l3conf.plugin.whereabouts import Whereabouts

if TYPE_CHECKING:
    from l3conf.plugin.member_account import MemberAccount


@dataclass(slots=True, repr=False)
class BrokerRights(Whereabouts):
    """A lab whose members have credentials at the broker."""

    _accounts: dict[str, MemberAccount] = field(init=False, default_factory=dict)

    def account(self, member: str) -> MemberAccount:
        """Return a member's own credential at the broker; opened once."""
        if member not in self._accounts:
            self._accounts[member] = open_account(
                member,
                self.members.accesses.get(member),
                home=self.apis[member],
                broker=self.broker,
                admin=self.ground.broker.kubeconfig,
                target=self.run.scratch / f"{self.topology.name}-{id(self)}-{member}.kubeconfig",
            )
        return self._accounts[member]

    @property
    def rivals(self) -> list[tuple[MemberAccount, str]]:
        """Every member's account with the name of every other member."""
        return [
            (self.account(member), other)
            for member in self.members.joined
            for other in self.members.joined
            if other != member
        ]

    def secrets_of(self, member: str, *, beside: str) -> dict[str, str]:
        """Return the values of a cluster's Secrets that another cluster does not have, with whose they are."""
        return confidential(self.apis[member], beside=self.apis[beside])
