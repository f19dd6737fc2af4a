"""`python -m stepdbg` is `stepdbg`."""

import sys

from stepdbg.cli import main

sys.exit(main())
