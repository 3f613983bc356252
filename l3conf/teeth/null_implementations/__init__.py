"""Implementations that implement nothing. They enter by the same door as everyone else's."""
