"""`afterguard run` with the unsteady engine, called as `afterguard run --config FILE` is.

Everything else is the worker as it is. Orders to its engine are files beside its settings.
"""

import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.chaos.unsteady_judge import UnsteadyJudge

from afterguard.app import build
from afterguard.cli import run
from afterguard.cli.main import app

if __name__ == "__main__":
    engine = UnsteadyJudge(Path(sys.argv[-1]).parent)
    with patch.object(run, "build", partial(build, judge=engine)):
        app()
