"""Workloads that the emulator serves itself, without a process per container."""
