"""Conformance scenarios: one behaviour a file. They import l3conf's public names only (``l3conf.testing``)."""
