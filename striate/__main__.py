"""`python -m striate` is the program `striate`."""

import sys

from striate.cli import main

if __name__ == "__main__":
    sys.exit(main())
