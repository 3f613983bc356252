"""Captures: frames of an interface to a pcap file, and pcap files back to frames.

``pcap`` is the format, pure; ``ring`` is the kernel's packet ring; ``session`` is what callers start and stop.
Where a namespace comes from is not known here.
"""
