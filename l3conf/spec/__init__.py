"""The specification as data, and its readers: requirements, features, budgets, CRDs, JSON schemas.

Loaders turn files into values of ``l3conf.model`` or say, for every problem at once, file, field and remedy.
Nothing here knows a lab, a cluster or a probe.
"""
