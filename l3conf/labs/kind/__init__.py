"""The kind lab: clusters of containers, each on a site of its own, with routers that translate, filter and fail.

``settings`` and ``options`` say what was given; ``naming``, ``cluster_config``, ``standing``, ``site_routers``,
``paths``, ``preflight`` and ``leftovers`` decide (pure); ``engine`` speaks to docker, ``commands`` runs kind and
kubectl; ``ground`` builds, ``inflict`` disturbs, ``machines`` adds and takes nodes, ``captures`` records, and
``lab`` puts them together. Everything that goes through Kubernetes APIs alone is ``labs.existing``'s.
"""
