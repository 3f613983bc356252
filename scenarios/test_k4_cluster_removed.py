"""A cluster goes, by itself or for ever without a word: nothing of it stays, and nothing for it gets out."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, Outcome, every, needs, payload_of, udp, verifies

CAPABILITIES = (Capability.NODE_STATE, Capability.WAN_CAPTURE, Capability.RAW_PACKETS, Capability.WAN_FAULTS)


@verifies("L3-K4")
@needs(*CAPABILITIES)
@pytest.mark.topology("chain-of-three")
@pytest.mark.dismantles
def test_a_cluster_that_leaves_is_forgotten_and_its_traffic_rejected(fresh_lab: Lab) -> None:
    """The others lose no packet between them."""
    lab, (a, b, c) = fresh_lab, fresh_lab.pods.one_in_each("a", "b", "c")
    with lab.stream([(a, b), (b, a)], rate=200) as stream:
        departure = lab.departed("c")
        assert departure.named != (), "no node ever had state of the leaver"
        lab.eventually_none("it is known", lambda: lab.still_known("c"), within="T_leave", since=departure.at)
        lab.eventually_none("it is named", lambda: lab.still_named_on_nodes("c"), within="T_leave", since=departure.at)
    stream.loses_nothing()
    to_it = every(udp(client, c) for client in (*lab.pods.of("a"), *lab.pods.of("b")))
    with lab.wan.capturing() as wan:
        wan.must_not_show(*map(payload_of, to_it.observe()))
    to_it.ends_in(Outcome.UNREACHABLE, within="T_probe")


@verifies("L3-K4")
@needs(*CAPABILITIES)
@pytest.mark.topology("chain-of-three")
def test_a_cluster_that_vanishes_is_given_up_and_its_traffic_rejected(fresh_lab: Lab) -> None:
    """Its nodes and its API server are silent at once. When they speak again, it is a member as before."""
    lab, (a, b, c) = fresh_lab, fresh_lab.pods.one_in_each("a", "b", "c")
    to_it = every(udp(client, c) for client in (*lab.pods.of("a"), *lab.pods.of("b")))
    to_it.arrives()
    with lab.stream([(a, b), (b, a)], rate=200) as stream, lab.vanished("c"):
        lab.eventually_none("it is known", lambda: lab.still_held("c"), within="T_expire")
        lab.eventually_none("it is named", lambda: lab.still_named_on_nodes("c"), within="T_expire")
        with lab.wan.capturing() as wan:
            wan.must_not_show(*map(payload_of, to_it.observe()))
        to_it.ends_in(Outcome.UNREACHABLE, within="T_probe")
    stream.loses_nothing()
    every([udp(a, c), udp(c, a), udp(b, c)]).arrives(within="T_reconcile")
