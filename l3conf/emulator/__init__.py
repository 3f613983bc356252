"""Kubernetes clusters out of Linux namespaces: real API, real kernel packets, no containers, no root."""
