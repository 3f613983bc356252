"""The fabric: planned as data, built in a real kernel."""
