"""Where pods run: the lab's own namespaces, the spawner that forks containers, and nodes made of both.

``launch`` starts a lab from outside; ``spawner`` runs inside it and forks; ``node`` is what kubelets see.
"""
