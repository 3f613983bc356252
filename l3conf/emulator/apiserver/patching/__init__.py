"""How an object changes: merge, JSON and strategic patches, and server-side apply with field ownership.

Pure functions over JSON dictionaries. No HTTP, no store, no clock: the API server calls them.
"""
