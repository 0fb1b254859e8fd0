"""``python -m spectrain``."""

import sys

from spectrain.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
