"""Conformance of layer-3 connectivity between Kubernetes clusters: the suite and its labs.

Never imports ``reference_impl``: suite and implementations meet on the wire only.
"""
