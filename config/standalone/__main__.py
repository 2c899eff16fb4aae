"""`python -m config.standalone run|demo`: what `make run` and `make demo` call."""

import os
import sys

from config.standalone import options
from config.standalone.processes import StandaloneError
from config.standalone.supervisor import Supervisor


def main() -> int:
    """Run until somebody asks to stop; 0 then, 1 when it could not start."""
    try:
        Supervisor(options.read(sys.argv[1:], os.environ)).run()
    except StandaloneError as error:
        print(f"\n{error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
