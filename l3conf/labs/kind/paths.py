"""Faults of paths, NATs and nodes as shell scripts, with what undoes each. Pure.

A path is disturbed where it ends: at the receiving site's router (or host), by the sender's hardware address, whatever
addresses are inside. That is one direction, for flows that are established, too. ARP and neighbour discovery pass: a
cut in one direction must not, one cache time-out later, silence the other. Delays are the exception: only what
leaves can wait, so they are at the sending end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.nat import DARK_TABLE, TABLE, dark_ruleset, nat_ruleset
from l3conf.errors import LabError
from l3conf.model.faults import Cut, Delay, Loss, RateLimit

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from l3conf.emulator.fabric.nat import NATPlan

_MILLION = 1_000_000
_BURST = 65536
"""Octets: the largest frame that segmentation offload hands over in one piece; with less it would never pass."""
_MOST_SECONDS = 10
_MODES = (0, 1, 2)
_LEAF = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What to run where a fault takes place, and what takes it back; both for sh."""

    begin: str
    end: str


def at_receiver(fault: Cut | Loss | RateLimit, *, sender: str, table: str) -> Script:
    """Return the script of a fault at the receiving end.

    ``sender``: a hardware address; ``table``: a name of its own.
    """
    match fault:
        case Cut():
            verdict = "drop"
        case Loss():
            _check(0 <= fault.share <= 1, f"a loss of {fault.share:g}", "give a share from 0 to 1")
            lost = round(fault.share * _MILLION)
            verdict = f"numgen random mod {_MILLION} < {lost} drop" if lost < _MILLION else "drop"
        case RateLimit():
            rate = fault.bytes_per_second
            _check(0 < rate <= 4 * 10**9, f"a rate of {rate} bytes/s", "give 1 to 4 000 000 000")
            verdict = f"limit rate over {rate} bytes/second burst {_BURST} bytes drop"
    ruleset = f"""table inet {table} {{
    chain arriving {{
        type filter hook prerouting priority -310; policy accept;
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        ether saddr {sender} {verdict}
    }}
}}"""
    return Script(begin=_loading(ruleset), end=f"nft delete table inet {table}")


def at_sender(fault: Delay, *, receiver: str, link: str) -> Script:
    """Return the script of a delay at the sending end. ``receiver``: a hardware address; ``link``: towards it."""
    _check(0 <= fault.seconds <= _MOST_SECONDS, f"a delay of {fault.seconds:g} s", f"give 0 to {_MOST_SECONDS} s")
    chosen = f"u32 match ether dst {receiver} flowid 1:{_LEAF}"
    filters = [
        f"tc filter add dev {link} protocol {protocol} parent 1: prio {priority} {chosen}"
        for priority, protocol in enumerate(("ip", "ipv6"), start=1)
    ]
    lines = [
        "set -eu",
        f"tc qdisc add dev {link} root handle 1: prio bands {_LEAF}",
        f"trap 'tc qdisc del dev {link} root' EXIT",
        f"tc qdisc add dev {link} parent 1:{_LEAF} handle 40: netem limit 100000 delay {fault.seconds * 1000:g}ms",
        *filters,
        "trap - EXIT",
    ]
    return Script(begin="\n".join(lines), end=f"tc qdisc del dev {link} root")


def rebind(plan: NATPlan) -> str:
    """Return what makes a NAT forget its mappings and choose as ``plan`` says."""
    return f"set -eu\nnft delete table ip {TABLE} 2>/dev/null || true\n{_loading(nat_ruleset(plan))}\nconntrack -F"


def dark() -> Script:
    """Return what makes a router pass nothing, and what lets it pass again."""
    return Script(begin=_loading(dark_ruleset()), end=f"nft delete table inet {DARK_TABLE}")


def readdress(before: IPv4Address, after: IPv4Address, length: int, ways: str) -> str:
    """Return what gives a router another public address; ``ways``: commands that make its routes again."""
    return f"set -eu\nip address del {before}/{length} dev wan\nip address add {after}/{length} dev wan\n{ways}"


def reverse_path_filter(mode: int) -> str:
    """Return what sets rp_filter of all links and prints what it was, ``PATH VALUE`` a line."""
    if mode not in _MODES:
        raise LabError(f"{mode} is no mode of rp_filter", remedy="use 0 (off), 1 (strict) or 2 (loose)")
    return (
        "set -eu\nfor each in /proc/sys/net/ipv4/conf/*/rp_filter; do\n"
        f'  read -r was < "$each"; echo "$each $was"; echo {mode} > "$each"\ndone'
    )


def reverse_path_filter_back(printed: str, mode: int) -> str:
    """Return what puts back the values that were printed, where nobody has changed them since."""
    lines = ["set -eu"]
    for path, was in (line.split() for line in printed.splitlines()):
        lines.append(f'[ ! -e {path} ] || [ "$(cat {path})" != {mode} ] || echo {was} > {path}')
    return "\n".join(lines)


def _loading(ruleset: str) -> str:
    return f"nft -f - <<'END'\n{ruleset}\nEND"


def _check(holds: bool, what: str, remedy: str) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise LabError(f"{what} cannot be", remedy=remedy)
