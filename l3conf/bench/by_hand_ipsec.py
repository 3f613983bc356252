"""An IPsec tunnel between two gateway nodes, made by hand with ``swanctl``.

The same daemon, cipher and carrier as an implementation would have on this kernel: ESP in the kernel where it has XFRM
interfaces, else libipsec and its TUN device.
"""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from l3conf.bench.runners import UnavailableError

if TYPE_CHECKING:
    from l3conf.bench.by_hand import End

_DAEMON, _SEARCH_PATH = "charon-systemd", "/usr/sbin:/usr/lib/ipsec:/usr/libexec/ipsec"
_DIRECTORY = "/run/by-hand"
_INTERFACE_ID = 77
_MTU = 1400
"""What libipsec reads at most from its device."""


def new_secret() -> str:
    """Return a pre-shared key for one tunnel. ``UnavailableError`` if there is no strongSwan."""
    for program, package in ((_DAEMON, _DAEMON), ("swanctl", "strongswan-swanctl")):
        if not shutil.which(program, path=_SEARCH_PATH) and not shutil.which(program):
            raise UnavailableError(f"{program} is not installed (package {package})")
    return secrets.token_hex(32)


def ready(there: End) -> str:
    """Return a command that succeeds once ``script`` has brought up the end whose peer is ``there``."""
    return f"ip route show {there.pods} | grep -q dev"


def script(here: End, there: End, secret: str, *, calls: bool) -> str:
    """Return the commands that bring up one end; ``calls``: it begins, the other waits."""
    return f"""
PATH=$PATH:{_SEARCH_PATH}
umask 077; mkdir -p {_DIRECTORY}; cd {_DIRECTORY}
if ip link add by-hand type xfrm if_id {_INTERFACE_ID} 2>/dev/null; then
  device=by-hand carrier= tied="if_id_in = {_INTERFACE_ID}; if_id_out = {_INTERFACE_ID};"
else
  device=ipsec0 carrier=kernel-libipsec tied=
fi
cat > strongswan.conf <<CONF
charon {{
  load = random nonce openssl aes sha1 sha2 hmac kdf gcm curve25519 $carrier kernel-netlink socket-default vici
  install_virtual_ip = no
  plugins {{ vici {{ socket = unix://{_DIRECTORY}/vici }} }}
}}
CONF
cat > swanctl.conf <<CONF
connections {{ by-hand {{
  version = 2
  local_addrs = {here.underlay}
  remote_addrs = {there.underlay}
  proposals = aes256gcm16-prfsha384-x25519
  encap = yes
  local {{
    auth = psk
    id = {here.inner}
  }}
  remote {{
    auth = psk
    id = {there.inner}
  }}
  children {{ by-hand {{
    local_ts = {here.pods}
    remote_ts = {there.pods}
    esp_proposals = aes256gcm16-x25519
    start_action = {"start" if calls else "none"}
    $(echo "$tied" | tr ';' '\n')
  }} }}
}} }}
secrets {{ ike-by-hand {{ secret = 0x{secret} }} }}
CONF
STRONGSWAN_CONF={_DIRECTORY}/strongswan.conf {_DAEMON} >/dev/null 2>&1 &
until [ -S vici ] && ip link show $device >/dev/null 2>&1; do sleep 0.1; done
export SWANCTL_DIR={_DIRECTORY}
ip address add {_anchor(here)}/32 dev $device
ip link set $device mtu {_MTU} up
swanctl --load-all --noprompt --file swanctl.conf --uri unix://{_DIRECTORY}/vici >/dev/null
ip route add {there.pods} dev $device
"""


def _anchor(end: End) -> str:
    """Return an address of the end's own among its pods, which no pod has: pods are masqueraded to it."""
    return str(end.pods.network_address)
