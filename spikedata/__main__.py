"""`python -m spikedata`: the command line."""

import sys

from spikedata.cli import main

if __name__ == "__main__":
    sys.exit(main())
