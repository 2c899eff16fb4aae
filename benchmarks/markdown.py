"""`python -m benchmarks.markdown RESULTS.json`: the results as README and docs/performance.md have them."""

import json
import sys
from pathlib import Path

from benchmarks.report import Row, markdown


def main() -> None:
    content = json.loads(Path(sys.argv[1]).read_text())
    print(markdown([Row(**row) for row in content["rows"]]))


if __name__ == "__main__":
    main()
