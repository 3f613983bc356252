"""A control plane without a data plane: right objects, right status, no packets."""
