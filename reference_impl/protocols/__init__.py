"""Codecs and state machines without I/O: bytes, objects and times come in, bytes, objects and decisions go out.

No socket, clock, kernel or Kubernetes client may be imported here.
"""
