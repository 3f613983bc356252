"""``python -m reference_impl gateway|route-agent|…``: the programs of the DaemonSets, one each.

``show`` and ``diagnose`` are for people and their scripts.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import uvloop

from reference_impl.agents.settings import SettingsError, load_broker, load_namespace, load_place, load_settings
from reference_impl.drivers.api import APIError
from reference_impl.drivers.kernel import KernelError
from reference_impl.mutants import UnknownMutantError, load_mutant
from reference_impl.names import VXLAN_BACKEND, WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reference_impl.agents.settings import BrokerAccess
    from reference_impl.drivers.echo import RawEcho
    from reference_impl.drivers.kube_api import KubeAPI
    from reference_impl.planner.finding import Finding

_USAGE = 2
_AFTER_THE_OTHERS = 5.0
"""Seconds for which names wait for what carries packets: where all start at once, all want the processor at once."""
_STARTED = 2.0
"""Seconds after which a program has imported what it needs."""
_FAREWELL = 3.0
"""Seconds for which cables that are processes go on after their pod was told to end."""
_LOG = logging.getLogger("reference_impl")


async def _route_agent(resources: AsyncExitStack) -> None:
    from reference_impl.agents.cable_drivers import load_drivers  # noqa: PLC0415 - each program imports its own
    from reference_impl.agents.route_agent import OWNERSHIP, RouteAgent  # noqa: PLC0415 - likewise
    from reference_impl.drivers.linux_kernel import LinuxKernel  # noqa: PLC0415 - likewise
    from reference_impl.planner.ownership import CABLE_OWNERSHIP  # noqa: PLC0415 - likewise

    settings = load_settings()
    devices = tuple(dict.fromkeys([*CABLE_OWNERSHIP.devices, *load_drivers(settings.drivers).devices]))
    agent = RouteAgent(
        settings,
        _api(resources),
        LinuxKernel(OWNERSHIP),
        _echo(resources),
        load_mutant(),
        LinuxKernel(replace(CABLE_OWNERSHIP, devices=devices)),
    )
    await agent.run()


async def _gateway(resources: AsyncExitStack) -> None:
    from reference_impl.agents.cable_drivers import load_drivers  # noqa: PLC0415 - likewise
    from reference_impl.agents.gateway import OWNERSHIP, GatewayAgent  # noqa: PLC0415 - likewise
    from reference_impl.drivers.key_file import KeyRing  # noqa: PLC0415 - likewise
    from reference_impl.drivers.linux_kernel import LinuxKernel  # noqa: PLC0415 - likewise
    from reference_impl.drivers.service_flows import KernelServiceFlows  # noqa: PLC0415 - likewise

    settings, access = load_settings(), load_broker()
    key = KeyRing() if set(settings.drivers) != {VXLAN_BACKEND} else None
    drivers = load_drivers(settings.drivers, key.public if key else "")
    devices = tuple(dict.fromkeys([*OWNERSHIP.devices, *drivers.devices]))
    agent = GatewayAgent(
        settings,
        access,
        drivers,
        member=_api(resources),
        broker=_broker(resources, access),
        kernel=LinuxKernel(replace(OWNERSHIP, devices=devices), key),
        echo=_echo(resources),
        mutant=load_mutant(),
        key=key,
        sentry=_echo(resources),
        service_flows=KernelServiceFlows,
    )
    await agent.run()


async def _globalnet(resources: AsyncExitStack) -> None:
    from reference_impl.agents.global_agent import OWNERSHIP, GlobalAgent  # noqa: PLC0415 - likewise
    from reference_impl.drivers.linux_kernel import LinuxKernel  # noqa: PLC0415 - likewise

    await GlobalAgent(load_settings(), _api(resources), LinuxKernel(OWNERSHIP), load_mutant()).run()


async def _service_discovery(resources: AsyncExitStack) -> None:
    settings, access = load_settings(), load_broker()
    await asyncio.sleep(_AFTER_THE_OTHERS)
    from reference_impl.agents.service_discovery import ServiceDiscovery  # noqa: PLC0415 - likewise

    agent = ServiceDiscovery(settings, access, member=_api(resources), broker=_broker(resources, access))
    await agent.run()


async def _cleanup(resources: AsyncExitStack) -> None:
    from reference_impl.agents import cleanup, gateway, global_agent, route_agent  # noqa: PLC0415 - likewise
    from reference_impl.drivers.linux_kernel import LinuxKernel  # noqa: PLC0415 - likewise

    kernels = [LinuxKernel(each.OWNERSHIP) for each in (gateway, route_agent, global_agent)]
    await cleanup.run(load_place(), _api(resources), kernels, load_mutant())


async def _wireguard(_resources: AsyncExitStack) -> None:
    await _carry(WIREGUARD_DEVICE)


async def _second_wireguard(_resources: AsyncExitStack) -> None:
    await _carry(WIREGUARD_SECOND_DEVICE)


async def _carry(device: str) -> None:
    from reference_impl.agents import wireguard_engine  # noqa: PLC0415 - likewise
    from reference_impl.agents.processes import go_on_for  # noqa: PLC0415 - likewise

    await go_on_for(_FAREWELL, wireguard_engine.run(device=device))


async def _ipsec(_resources: AsyncExitStack) -> None:
    from reference_impl.agents import ipsec_engine  # noqa: PLC0415 - likewise
    from reference_impl.agents.processes import go_on_for  # noqa: PLC0415 - likewise

    await go_on_for(_FAREWELL, ipsec_engine.run())


async def _at_broker(resources: AsyncExitStack) -> None:
    from reference_impl.agents.broker import BrokerAgent  # noqa: PLC0415 - likewise

    await BrokerAgent(load_namespace(), _api(resources), load_mutant()).run()


def _api(resources: AsyncExitStack) -> KubeAPI:
    from reference_impl.drivers.kube_api import KubeAPI  # noqa: PLC0415 - likewise

    api = KubeAPI.in_cluster()
    resources.push_async_callback(api.close)
    return api


def _broker(resources: AsyncExitStack, access: BrokerAccess) -> KubeAPI:
    from reference_impl.drivers.kube_api import KubeAPI  # noqa: PLC0415 - likewise

    api = KubeAPI.from_parts(access.server, access.certificate_authority, access.token)
    resources.push_async_callback(api.close)
    return api


def _echo(resources: AsyncExitStack) -> RawEcho:
    from reference_impl.drivers.echo import RawEcho  # noqa: PLC0415 - likewise

    echo = RawEcho()
    resources.callback(echo.close)
    return echo


PROGRAMS: dict[str, Callable[[AsyncExitStack], Awaitable[None]]] = {
    "gateway": _gateway,
    "route-agent": _route_agent,
    "globalnet": _globalnet,
    "service-discovery": _service_discovery,
    "broker": _at_broker,
    "cleanup": _cleanup,
    "wireguard": _wireguard,
    "second-wireguard": _second_wireguard,
    "ipsec": _ipsec,
}


async def _until_terminated(program: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
    """Run a program; SIGTERM ends it in order, within a moment."""
    # What is imported stays. To look through it for garbage again and again while it comes is a tenth of a start.
    gc.disable()
    async with AsyncExitStack() as resources:
        task = asyncio.ensure_future(program(resources))
        asyncio.get_running_loop().call_later(_STARTED, _collect_from_now_on)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            _LOG.info("terminated; the data plane stays as it is")


def _collect_from_now_on() -> None:
    """Collect garbage again, but never look at what there is by now."""
    gc.freeze()
    gc.enable()


def _show(arguments: list[str]) -> int:
    """Print what a member says of its connections; 0 if all is well."""
    from reference_impl.agents.show import parse, show  # noqa: PLC0415 - for people, not for agents
    from reference_impl.drivers.kube_api import KubeAPI  # noqa: PLC0415 - likewise

    options = parse(arguments)

    async def look() -> tuple[str, bool]:
        async with AsyncExitStack() as resources:
            api = KubeAPI.from_file(options.kubeconfig, options.context)
            resources.push_async_callback(api.close)
            return await show(api, as_json=options.output == "json")

    try:
        text, well = asyncio.run(look())
    except APIError as error:
        sys.stderr.write(f"show: {error}\n")
        return 1
    sys.stdout.write(text)
    return 0 if well else 1


def _diagnose(arguments: list[str]) -> int:
    """Print what is wrong with a member; 0 if nothing is, 2 if nobody can be asked."""
    from reference_impl.agents import diagnose  # noqa: PLC0415 - likewise
    from reference_impl.drivers.kube_api import KubeAPI  # noqa: PLC0415 - likewise

    options = diagnose.parse(arguments)

    async def look() -> tuple[Finding, ...]:
        async with AsyncExitStack() as resources:
            api = KubeAPI.from_file(options.kubeconfig, options.context)
            resources.push_async_callback(api.close)
            return await diagnose.look(api)

    try:
        findings = asyncio.run(look())
    except APIError as error:
        sys.stderr.write(f"diagnose: {error}\n{diagnose.NOBODY_THERE}\n")
        return _USAGE
    if options.output == "json":
        sys.stdout.write(diagnose.as_json(findings))
    elif sys.stdout.isatty():
        diagnose.print_pretty(findings)
    else:
        sys.stdout.write(diagnose.as_text(findings))
    return 1 if findings else 0


def main(arguments: list[str]) -> int:
    """Run one agent; exit code 2 for wrong usage, 1 for what an operator must mend."""
    if arguments[:1] == ["show"]:
        return _show(arguments[1:])
    if arguments[:1] == ["diagnose"]:
        return _diagnose(arguments[1:])
    if len(arguments) != 1 or arguments[0] not in PROGRAMS:
        sys.stderr.write(f"usage: python -m reference_impl {'|'.join(PROGRAMS)}|show|diagnose\n")
        return _USAGE
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_terminated(PROGRAMS[arguments[0]]))
    except (SettingsError, UnknownMutantError, KernelError, APIError) as error:
        _LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
