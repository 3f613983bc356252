"""What an object may contain: structural schemas, CRD checks, built-in kinds and OpenAPI documents.

Pure functions over JSON dictionaries. No HTTP, no store, no clock: the API server calls them.
"""
