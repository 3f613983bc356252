"""Values that describe a cluster set: topology, addresses. Pure: no I/O, no clock, no randomness."""
