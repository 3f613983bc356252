"""Implementations of others, by their own tools, and the template to begin with. All enter by the same door.

Must not import anything of l3conf, nor be imported by it: what lies here is run as hooks, and is meant to be copied.
"""
