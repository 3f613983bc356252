"""Settings of all unit tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No timing is asserted anywhere: machines are noisy. CI repeats the same examples, people explore new ones.
settings.register_profile("l3conf", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
settings.load_profile("l3conf")
