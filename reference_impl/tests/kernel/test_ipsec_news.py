"""The engine hears of what happens at a real IKE daemon, so that it need not look all the time."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.drivers.charon import Charon
from reference_impl.drivers.charon_news import News
from reference_impl.tests.kernel.gateways import wait_for
from reference_impl.tests.kernel.ipsec_sites import IPSEC, connected, daemon, missing, needs_daemon
from reference_impl.tests.kernel.sandbox import sandboxed

if TYPE_CHECKING:
    from reference_impl.tests.kernel.cluster_set import Site

pytestmark = needs_daemon


def quiet(news: News) -> bool:
    """Whether nothing happens for a while."""
    return not news.within(0.5)


@sandboxed
def test_sub_tunnels_that_go_and_come_back_are_heard_of() -> None:
    east, west, _ = connected()
    with closing(News(Path(f"/run/{east.nodes[0].name}"))) as news:
        assert news.within(0.0), "nobody knows what was before"
        wait_for(partial(quiet, news))
        list(daemon(west.nodes[0]).terminate({"ike": _name(west)}))
        assert news.within(20.0)
        wait_for(lambda: missing(east, west) == "")
        wait_for(partial(quiet, news))


@sandboxed
def test_what_is_loaded_is_heard_of_without_an_event_of_the_daemon() -> None:
    east, west, _ = connected()
    directory = Path(f"/run/{east.nodes[0].name}")
    with closing(News(directory)) as news:
        assert news.within(0.0)
        wait_for(partial(quiet, news))
        Charon(directory).unload("no-such-connection")
        assert news.within(20.0)
        wait_for(partial(quiet, news))
    assert missing(east, west) == ""


@sandboxed
def test_a_daemon_that_is_away_is_no_news_until_it_is_back() -> None:
    east, _, _ = IPSEC.started()
    directory = Path(f"/run/{east.nodes[0].name}")
    socket, aside = directory / "charon.vici", directory / "aside"
    socket.rename(aside)
    with closing(News(directory)) as news:
        assert not news.within(0.05)
        aside.rename(socket)
        assert news.within(0.05)
        wait_for(partial(quiet, news))


def _name(site: Site) -> str:
    (name,) = (name for listed in daemon(site.nodes[0]).list_sas() for name in listed)
    return name if isinstance(name, str) else name.decode()
