"""Cluster sets that scenarios run on: one file each, with its drawing on top."""
