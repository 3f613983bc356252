"""An API in trouble is no trouble for packets, and what it kept back is caught up with."""

from __future__ import annotations

from functools import partial

import pytest

from l3conf.testing import (
    APIDropped,
    APIExpired,
    APIRefused,
    APISlow,
    Capability,
    EventsDuplicated,
    EventsLate,
    EventsReordered,
    Lab,
    WatchesSilent,
    needs,
    verifies,
)

TROUBLES = {
    "refusals": (
        partial(APIRefused, code=409, share=0.3),
        partial(APIRefused, code=429, retry_after=1, share=0.2),
        partial(APIRefused, code=500, share=0.2),
        partial(APIRefused, code=503, share=0.2),
    ),
    "nothing can be read": (partial(APIRefused, code=503, verbs=("get", "list", "watch")), APIDropped),
    "history is gone": (APIExpired,),
    "broken connections": (partial(APISlow, seconds=0.3), partial(APIDropped, share=0.3, carried_out=True)),
    "disorder": (partial(EventsDuplicated, share=0.5), partial(EventsReordered, seconds=1.0)),
    "late": (partial(EventsLate, seconds=3.0),),
    "silence": (WatchesSilent,),
}
"""What every API server does to agents, all of it at once."""


@verifies("L3-N4")
@needs(Capability.API_FAULTS, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_members_whose_apis_are_in_trouble_stay_connected_and_catch_up(lab: Lab, trouble: str) -> None:
    """Members come, go, and come for a moment meanwhile: in the end nodes know who stayed, and nobody who left."""
    flows = lab.pods.workers_across(lab.families[0])
    with lab.phantoms() as phantoms, lab.stream(flows) as stream:
        phantoms.join("leaver")
        lab.eventually_none("it is not known", lambda: lab.nodes_without(phantoms.claims("leaver")), within="T_join")
        with lab.apis_in_trouble(*TROUBLES[trouble]):
            phantoms.join("newcomer")
            phantoms.join("passer-by")
            phantoms.leave("passer-by")
            phantoms.leave("leaver")
            stream.goes_on("W_react")
        gone = (*phantoms.claims("leaver"), *phantoms.claims("passer-by"))
        lab.eventually_none("members differ from the broker", lab.differing_from_broker, within="T_reconcile")
        lab.eventually_none(
            "it is not known", lambda: lab.nodes_without(phantoms.claims("newcomer")), within="T_reconcile"
        )
        lab.eventually_none("they are still known", lambda: lab.nodes_with(gone), within="T_reconcile")
        stream.goes_on("W_silence")
    stream.loses_nothing()
    lab.eventually_none("members still differ", lab.differing_from_broker, within="T_reconcile")
