"""The entry point of an EMR job, uploaded as it is: makes the package importable and runs a headgate command.

The driver's folder has the package's archives unpacked: `app` with Headgate and the project, and `environment` with
the virtual environment, whose Python runs this file.
"""

import sys
from pathlib import Path

APP = Path("app").resolve()

if __name__ == "__main__":
    sys.path[:0] = [str(APP / "lib"), str(APP / "project")]
    from headgate.cli.job import main

    main(sys.argv[1:], APP / "project")
