"""Makes the modules of the runner importable from its tests, as they are when it is run as a script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
