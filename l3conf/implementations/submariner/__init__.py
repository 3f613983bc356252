"""Submariner by ``subctl``: an implementation file, hooks, and what is known to fail (``docs/submariner.md``)."""
