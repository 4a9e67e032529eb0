"""`python -m tskd` is the command `tskd`."""

import sys

from tskd.cli import main

sys.exit(main())
