"""New namespaces, each with its settings and a route socket, and their rulesets loaded meanwhile.

Namespaces and links are made under one lock of the kernel (RTNL), so a second thread would gain nothing; nftables
does not take that lock, so rulesets are loaded beside them, in a thread of their own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.sysctls import sysctls_of
from l3conf.emulator.kernel import nftables
from l3conf.emulator.kernel.namespaces import NetworkNamespace, away
from l3conf.emulator.kernel.netlink import RouteSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from l3conf.emulator.fabric.elements import NamespacePlan
    from l3conf.emulator.fabric.sysctls import SysctlWriter
    from l3conf.emulator.kernel.request import Request


def new_namespace(_plan: NamespacePlan) -> NetworkNamespace:
    """Make a namespace; the calling thread is in it then: for use within ``away``."""
    return NetworkNamespace.unshared()


class Creation:
    """Namespaces in the making. When the context ends, all rules are loaded and the route sockets not kept are closed.

    A ruleset that the kernel refuses is raised at the end, unless something else was.
    """

    __slots__ = ("_loading", "_made", "_new", "_opened", "_routes", "_sysctls")

    def __init__(
        self,
        sysctls: SysctlWriter,
        made: MutableMapping[str, NetworkNamespace],
        new: Callable[[NamespacePlan], NetworkNamespace] = new_namespace,
    ) -> None:
        """Put namespaces into ``made`` by the keys of their plans; the caller owns them. ``new`` makes each."""
        self._sysctls = sysctls
        self._made = made
        self._new = new
        self._routes: dict[str, RouteSocket] = {}
        self._opened = ExitStack()
        self._loading: list[Future[None]] = []

    def create(self, plans: Iterable[NamespacePlan]) -> None:
        """Make namespaces, with settings and rules, but no links."""
        plans = tuple(plans)
        with away():
            for plan in plans:
                self._made[plan.key] = self._new(plan)
                self._sysctls.write(sysctls_of(plan))
                self._routes[plan.key] = self._opened.enter_context(RouteSocket())
        rulesets = [(self._made[plan.key], plan.rules) for plan in plans if plan.rules]
        if rulesets:
            loader = self._opened.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="rulesets"))
            self._loading.append(loader.submit(nftables.load_rulesets, rulesets))

    def execute(self, key: str, requests: list[Request]) -> None:
        """Carry out requests in a namespace that was made here."""
        self._routes[key].execute(requests)

    def route(self, key: str) -> RouteSocket:
        """Return the route socket of a namespace that was made here; it is closed when the context ends."""
        return self._routes[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()
        if error is None:
            for loaded in self._loading:
                loaded.result()
