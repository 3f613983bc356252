"""``python -m l3conf``: the command line where no script is installed."""

from __future__ import annotations

from l3conf.cli.main import main

if __name__ == "__main__":
    main()
