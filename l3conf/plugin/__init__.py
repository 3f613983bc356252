"""The pytest plugin: marks, options, labs as fixtures, events of every test.

Must not hold expectations, commands or knowledge of one kind of lab.
"""
