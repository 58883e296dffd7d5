"""`python -m treemend.agents.scripted_provider SCRIPT`: serve a script until interrupted."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from treemend.agents.scripted_provider.script import load_script
from treemend.agents.scripted_provider.server import ScriptedProvider
from treemend.store.errors import TreemendError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m treemend.agents.scripted_provider", description=__doc__)
    parser.add_argument("script", type=Path, help="A JSON file with rules.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one.")
    given = parser.parse_args()
    try:
        with ScriptedProvider(load_script(given.script), port=given.port) as provider:
            print(provider.base_url, flush=True)
            with suppress(KeyboardInterrupt):
                provider.wait()
    except TreemendError as error:
        print(f"{error.message}\n{error.mend}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
