"""Captures and pcap files."""
