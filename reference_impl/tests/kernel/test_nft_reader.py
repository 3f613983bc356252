"""What is read over netlink of nftables, beside what ``nft`` prints."""

from __future__ import annotations

import pytest

from reference_impl.drivers.nft_reader import NftReader
from reference_impl.state import Count
from reference_impl.tests.kernel.sandbox import sandboxed, shell

TABLE = """nft -f - <<'END'
table inet ours {
  counter seen { packets 3 bytes 210 }
  set hosts { type ipv4_addr; size 9; elements = { 10.0.0.1, 10.0.0.2, 10.0.0.3 } }
  set ranges { type ipv6_addr; flags interval; elements = { 2001:db8::/32 } }
  chain inner {
    ip saddr @hosts counter drop
  }
  map ways { type ipv4_addr : verdict; elements = { 10.0.0.9 : jump inner } }
  chain outer { type filter hook forward priority filter; policy accept;
    ip daddr vmap @ways
    tcp dport { 80, 443 } accept
  }
}
table ip theirs {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    tcp dport 7 accept comment "ours: iifname a"
    udp dport 7 accept
  }
  chain named { }
}
END
"""
EDITS = (
    "add rule inet ours inner udp dport 9 drop",
    "insert rule inet ours inner udp dport 9 drop",
    "replace rule inet ours inner handle {handle} ip saddr @hosts counter accept",
    "add element inet ours hosts '{{ 10.0.0.4 }}'",
    "delete element inet ours hosts '{{ 10.0.0.1 }}'",
    "add element inet ours ranges '{{ 2001:db9::/33 }}'",
    "delete element inet ours ways '{{ 10.0.0.9 }}'",
    "add chain inet ours more",
    "add chain inet ours outer '{{ policy drop; }}'",
    "add set inet ours more '{{ type ipv4_addr; }}'",
    "add counter inet ours more",
    "add quota inet ours more '{{ over 1 mbytes }}'",
)


@sandboxed
def test_a_listing_names_what_nft_prints() -> None:
    shell(TABLE)
    listing = NftReader().listing("ours")
    assert listing is not None
    assert (set(listing.chains), set(listing.sets), listing.maps) == (
        {"inner", "outer"},
        {"hosts", "ranges"},
        ("ways",),
    )
    assert listing.others
    assert NftReader().listing("theirs") is None  # of another family
    shell("nft delete counter inet ours seen")
    listing = NftReader().listing("ours")
    assert listing is not None
    assert not listing.others


@pytest.mark.parametrize("edit", EDITS)
@sandboxed
def test_every_edit_of_a_table_changes_its_digest_and_nothing_else_does(edit: str) -> None:
    shell(TABLE)
    reader = NftReader()
    before, number = reader.listing("ours"), reader.generation()
    assert before is not None
    handle = shell("nft -a list chain inet ours inner").rpartition("# handle ")[2].split()[0]
    assert reader.listing("ours") == before
    assert reader.generation() == number
    shell("nft add rule ip theirs FORWARD udp dport 8 accept")
    assert reader.listing("ours") == before
    assert reader.generation() != number
    shell("ip link set lo up && ping -c1 -W1 127.0.0.1 >/dev/null; nft reset counters table inet ours")
    assert reader.listing("ours") == before
    shell(f"nft {edit.format(handle=handle)}")
    after = reader.listing("ours")
    assert after is not None
    assert after.digest != before.digest


@sandboxed
def test_what_counters_of_rules_count_is_no_edit() -> None:
    shell(TABLE)
    shell("ip link set lo up; nft add chain inet ours in '{ type filter hook input priority 0; }'")
    shell("nft add rule inet ours in counter")
    reader = NftReader()
    before = reader.listing("ours")
    shell("bash -c 'echo -n x > /dev/udp/127.0.0.1/9'")
    assert "counter packets 0" not in shell("nft list chain inet ours in")
    assert reader.listing("ours") == before


@sandboxed
def test_chains_say_what_they_do_and_rules_what_they_are_for() -> None:
    shell(TABLE)
    reader = NftReader()
    found = {chain.name: chain for chain in reader.chains()}
    theirs = found["FORWARD"]
    assert (theirs.family, theirs.table, theirs.hook, theirs.kind, theirs.drops) == ("ip", "theirs", 2, "filter", True)
    assert (found["outer"].family, found["outer"].drops) == ("inet", False)
    assert (found["named"].hook, found["named"].drops) == (-1, False)
    said = reader.comments(theirs)
    assert [comment for _, comment in said] == ["ours: iifname a", ""]
    shell(f"nft delete rule ip theirs FORWARD handle {said[0][0]}")
    assert [comment for _, comment in reader.comments(theirs)] == [""]
    shell("nft delete table ip theirs")
    assert reader.comments(theirs) == []


@sandboxed
def test_counters_are_told_by_name() -> None:
    shell(TABLE)
    reader = NftReader()
    assert reader.counters("ours") == {"seen": Count(packets=3, octets=210)}
    assert reader.counters("nobody's") is None
    shell("nft add table inet empty")
    assert reader.counters("empty") == {}


@sandboxed
def test_a_closed_reader_opens_again() -> None:
    shell(TABLE)
    reader = NftReader()
    before = reader.listing("ours")
    reader.close()
    assert reader.listing("ours") == before
    reader.close()
    reader.close()
