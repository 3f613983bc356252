"""Keeps strongSwan's IKE daemon running on a gateway node, and its sub-tunnels up: the program of its own DaemonSet.

For the reason given in ``wireguard_engine`` it is no child of an agent: with libipsec the daemon carries the packets,
and with the kernel's ESP it rekeys. It has no settings and no rights in the API; agents load connections and secrets
into the daemon through the socket in a directory of the node that both pods mount, and nothing of them is on disk.

The price is the same too: when this pod is replaced, packets are lost until the agent's next look and a handshake.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from reference_impl.agents.processes import running_process
from reference_impl.drivers.charon import CHARON_DIRECTORY, SOCKET, Charon
from reference_impl.drivers.charon_news import News
from reference_impl.drivers.foreign_sockets import fit_for_tunnels
from reference_impl.drivers.ipsec_kernel import kernel_has_ipsec, remove_daemons_rules, tun_devices
from reference_impl.drivers.kernel import KernelError
from reference_impl.names import CABLE_PORT, IPSEC_DEVICE, IPSEC_ROUTING_TABLE, IPSEC_RULE_PRIORITY
from reference_impl.protocols.ike_caller import Caller, Retirement

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from reference_impl.drivers.charon import IKEControl

_LOG = logging.getLogger(__name__)
PROGRAM = "charon-systemd"
"""The daemon without the old starter. It needs no systemd. Some distributions keep it out of the search path."""
_SEARCH_PATH = "/usr/sbin:/usr/lib/ipsec:/usr/libexec/ipsec"
RETRY = 1.0
"""Seconds between the end of the process and its next start."""
LOOK = 0.2
"""Seconds between two looks while a sub-tunnel is down or an SA is to end."""
BURST = 0.05
"""Seconds between news and a look: the sub-tunnels of a pair come one by one."""
QUIET = 2.0
"""Seconds between two looks while nothing happens."""
_UNFIT = "packets will be lost in bursts, and where small links are hidden"
ROOM = 1 << 20
"""Bytes that may wait at the daemon's socket: some 2,700 small packets. It asks for none, and a busy node loses what
comes within 0.1 s. Much more would keep packets for longer than their senders wait."""
_CONFIGURATION = """\
charon {{
  load = random nonce openssl aes sha1 sha2 hmac kdf gcm curve25519 {data_plane} kernel-netlink socket-default vici
  port = 0
  port_nat_t = {port}
  install_routes = no
  install_virtual_ip = no
  routing_table = {table}
  routing_table_prio = {priority}
  keep_alive = 10s
  retransmit_timeout = 0.5
  retransmit_base = 1.0
  retransmit_tries = 24
  journal {{
    default = -1
  }}
  filelog {{
    stderr {{
      default = 0
      ike = 1
      flush_line = yes
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
    kernel-libipsec {{
      allow_peer_ts = yes
    }}
  }}
}}
"""


def configuration(directory: Path, *, libipsec: bool) -> str:
    """Return strongswan.conf.

    A dead peer is given up after 14 s: 2 s of silence, then requests every half second. Evenly, because an SA that
    works again must not be given up over a request that was lost long before: it would take its packets along.
    """
    return _CONFIGURATION.format(
        data_plane="kernel-libipsec" if libipsec else "",
        port=CABLE_PORT,
        table=IPSEC_ROUTING_TABLE,
        priority=IPSEC_RULE_PRIORITY,
        socket=directory / SOCKET,
    )


async def run(program: str = PROGRAM, directory: Path = CHARON_DIRECTORY) -> None:
    """Keep the daemon running until cancelled."""
    libipsec = not await asyncio.to_thread(kernel_has_ipsec)
    _LOG.info("packets are carried by %s", "libipsec" if libipsec else "the kernel")
    await asyncio.to_thread(prepare, directory, libipsec=libipsec)
    while True:
        path = shutil.which(program) or shutil.which(program, path=_SEARCH_PATH)
        if path is None:
            _LOG.error("%s is not installed: there will be no cable", program)
        else:
            await _run_once(path, directory, libipsec=libipsec)
        await asyncio.sleep(RETRY)


def prepare(directory: Path, *, libipsec: bool) -> None:
    """Write the daemon's configuration; there is nothing secret in it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "strongswan.conf").write_text(configuration(directory, libipsec=libipsec))


async def keep_up(control: IKEControl, news: News) -> None:
    """Call for every sub-tunnel that is down, and end SAs that have successors with newer keys, until cancelled."""
    caller, retirement, clock = Caller(), Retirement(), asyncio.get_running_loop()
    while True:
        settled = False
        try:
            state = await asyncio.to_thread(control.read)
            connections = state.connections if state else ()
            for name, pair in caller.due(connections, clock.time()):
                await asyncio.to_thread(control.call, name, pair)
            for unique in retirement.due(connections, clock.time()):
                await asyncio.to_thread(control.end, unique)
            settled = not (caller.waits or retirement.waits or any(each.under_way for each in connections))
        except KernelError as error:
            _LOG.info("%s", error)
        await _until_news(news, round(QUIET / LOOK) if settled else 1)


async def _until_news(news: News, steps: int) -> None:
    """Wait for something to happen, for so many steps of ``LOOK``: a thread that waits cannot be cancelled."""
    for _ in range(steps):
        if await asyncio.to_thread(news.within, LOOK):
            await asyncio.sleep(BURST)
            return


async def _run_once(path: str, directory: Path, *, libipsec: bool) -> None:
    (directory / SOCKET).unlink(missing_ok=True)
    environ = {**os.environ, "STRONGSWAN_CONF": str(directory / "strongswan.conf")}
    try:
        async with running_process(path, environ=environ) as process:
            _LOG.info("%s started", path)
            await _look_after(process, path, directory, libipsec=libipsec)
    finally:
        await asyncio.to_thread(remove_daemons_rules)
        (directory / SOCKET).unlink(missing_ok=True)


async def _look_after(process: Process, path: str, directory: Path, *, libipsec: bool) -> None:
    """Keep the daemon's sub-tunnels up until it has ended, or must be."""
    keeper = asyncio.ensure_future(_keep_up_once_ready(process.pid, directory, libipsec=libipsec))
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({keeper, ended}, return_when=asyncio.FIRST_COMPLETED)
        if keeper.done():
            keeper.result()
        _LOG.error("%s ended with %s", path, process.returncode)
    except KernelError as error:
        _LOG.error("%s", error)
    finally:
        keeper.cancel()
        ended.cancel()
        await asyncio.gather(keeper, ended, return_exceptions=True)


async def _keep_up_once_ready(pid: int, directory: Path, *, libipsec: bool) -> None:
    """Wait for the daemon, make sure that its device is the one that agents mean, then keep sub-tunnels up."""
    while not (directory / SOCKET).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(LOOK / 4)
    try:
        if not fit_for_tunnels(pid, CABLE_PORT, room=ROOM):
            _LOG.warning("%s: no socket at port %d", _UNFIT, CABLE_PORT)
    except OSError as error:
        _LOG.warning("%s: the daemon's sockets: %s", _UNFIT, error.strerror)
    devices = tun_devices(pid)
    if libipsec and devices != (IPSEC_DEVICE,):
        raise KernelError(
            f"the IKE daemon's device is {', '.join(devices) or 'missing'}, not {IPSEC_DEVICE}: another one runs here"
        )
    with closing(News(directory)) as news:
        await keep_up(Charon(directory), news)
