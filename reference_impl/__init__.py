"""Reference implementation of layer-3 connectivity between Kubernetes clusters.

Never imports ``l3conf``: it enters the suite by the same door as every other implementation.
"""
