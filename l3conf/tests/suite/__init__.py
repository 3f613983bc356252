"""The suite itself: oracle, expectations, waits, plugin and commands."""
