"""The scripts of tunnels by hand are shell, and say to strongSwan what it understands."""

from __future__ import annotations

import re
import subprocess
from ipaddress import ip_address, ip_network

import pytest

from l3conf.bench.by_hand import End
from l3conf.bench.by_hand_ipsec import script


def end(number: int) -> End:
    return End(
        place=f"c{number}@n",
        underlay=ip_address(f"172.16.{number}.10"),
        pods=ip_network(f"10.{number}.0.0/16"),
        inner=f"169.254.77.{number}",
    )


@pytest.mark.parametrize("calls", [True, False])
def test_an_ipsec_script_is_shell_with_one_setting_a_line(calls: bool) -> None:  # noqa: FBT001
    text = script(end(1), end(2), "ab" * 32, calls=calls)
    subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True)
    (settings,) = re.findall(r"swanctl.conf <<CONF\n(.*?)\nCONF\n", text, re.DOTALL)
    assert not [line for line in settings.splitlines() if line.count(" = ") > 1]
    assert settings.count("{") == settings.count("}")
    assert f"start_action = {'start' if calls else 'none'}" in settings
