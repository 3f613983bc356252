"""Clusters that exist: a lab whose ground is contexts of a kubeconfig, and which leaves nothing behind.

``settings`` and ``kubeconfig`` say what was given, ``found`` what the clusters show (pure), ``matching`` for which of
the scenarios' topologies they can stand (pure), ``objects`` and ``rights`` what a run makes and needs (pure);
``survey`` reads, ``sessions`` speaks to probe pods, ``holding`` keeps a run's claim and removes what is left, and
``lab`` puts them together.
"""
