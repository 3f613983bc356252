"""Hooks: foreign processes that may hang, lie, shout or leave children behind."""
