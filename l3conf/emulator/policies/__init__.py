"""NetworkPolicy (``networking.k8s.io/v1``), as network plugins enforce it."""
