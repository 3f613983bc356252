"""What a scenario may expect of traffic: fluent words over probes, sightings and budgets.

Must not hold how packets are sent (``l3conf.probes``) nor who must reach whom (``l3conf.oracle``).
"""

from l3conf.expectations.places import Node, Outsider, Pod, Service
from l3conf.expectations.streams import Stream
from l3conf.expectations.traffic import Traffic, every, icmp, sctp, tcp, udp

__all__ = ["Node", "Outsider", "Pod", "Service", "Stream", "Traffic", "every", "icmp", "sctp", "tcp", "udp"]
