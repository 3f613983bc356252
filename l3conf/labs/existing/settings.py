"""What the caller says of the clusters that exist: options as one value, and as words for another process."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from l3conf.errors import UserError
from l3conf.labs.base import Capability
from l3conf.labs.option_tables import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from l3conf.model.topology import IPNetwork

PROBE_IMAGE = "ghcr.io/l3conf/probe:v1"
"""Used unless another is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingSettings:
    """Options of ``--on existing``. Every field is an option of that name; tuples are given once for each value."""

    contexts: tuple[str, ...] = ()
    """``CONTEXT``, or ``NAME=CONTEXT`` for a cluster that the run is to call ``NAME``."""
    kubeconfig: Path | None = None
    """None: as kubectl has it, ``KUBECONFIG`` or ``~/.kube/config``."""
    broker_context: str = ""
    """Empty: the first of ``contexts``."""
    broker_server: str = ""
    """``https://address:port`` at which members' pods reach the broker; empty: the one of its kubeconfig."""
    hook_kubeconfig: Path | None = None
    """Kubeconfig with the same contexts that hooks are given; None: the run's own."""
    probe_image: str = PROBE_IMAGE
    host_network: bool = False
    """Also probe from nodes' own networks: needs a namespace that admits pods with hostNetwork."""
    installed: bool = False
    """The implementation stands already: no hook is called."""
    pod_cidrs: tuple[str, ...] = ()
    """``NAME=CIDR[,CIDR]``, where discovery finds none or the wrong ones."""
    service_cidrs: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the options that another process of this program is started with."""
        return words_of(self)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What a lab on such clusters is able to do beyond the Kubernetes API."""
        hosts = {Capability.HOSTS} if self.host_network else set()
        return frozenset(hosts if self.installed else hosts | {Capability.MEMBERSHIP})

    @property
    def named_contexts(self) -> tuple[tuple[str, str], ...]:
        """The clusters: the name that was given, or empty, and the context. ``UserError`` unless there are two."""
        pairs = contexts_of(self.contexts)
        contexts = {context for _, context in pairs}
        if len(contexts) < 2 or len(contexts) < len(pairs):  # noqa: PLR2004 - a set begins with two
            raise UserError(
                f"{len(contexts)} clusters were named",
                where="--contexts",
                remedy="name two contexts or more of your kubeconfig, e.g. --contexts east,west",
            )
        called = [name or context for name, context in pairs]
        for name in called:
            if called.count(name) > 1:
                raise UserError(
                    f"two clusters are called {name!r}", where="--contexts", remedy="give each its own name"
                )
        return pairs


def contexts_of(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return name, or nothing, and context of each cluster, from ``[NAME=]CONTEXT,…``. ``UserError`` if none is named.

    Contexts of some clouds hold further signs of equality.
    """
    split = [text.strip() for each in given for text in each.split(",") if text.strip()]
    pairs = []
    for text in split:
        name, mark, context = text.partition("=")
        if mark and not context:
            raise UserError(f"{text!r} names no context", where="--contexts", remedy="NAME=CONTEXT, or CONTEXT alone")
        pairs.append((name, context) if mark else ("", text))
    if not pairs:
        remedy = "name contexts of your kubeconfig, e.g. --contexts east,west"
        raise UserError("0 clusters were named", where="--contexts", remedy=remedy)
    return tuple(pairs)


def ranges(given: Iterable[str], option: str) -> Mapping[str, tuple[IPNetwork, ...]]:
    """Return ranges by cluster from ``NAME=CIDR[,CIDR]``. ``UserError`` for what is none."""
    found = {}
    for text in given:
        name, mark, cidrs = text.partition("=")
        try:
            found[name] = tuple(ip_network(cidr.strip()) for cidr in cidrs.split(","))
        except ValueError as error:
            raise UserError(f"{text!r}: {error}", where=option, remedy="NAME=CIDR, e.g. east=10.1.0.0/16") from None
        if not mark:
            raise UserError(f"{text!r} names no cluster", where=option, remedy="NAME=CIDR, e.g. east=10.1.0.0/16")
    return found
