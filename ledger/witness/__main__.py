"""`python -m ledger.witness`."""

import sys

from ledger.witness.command import main

if __name__ == "__main__":
    sys.exit(main())
