"""Runs the command line again and again, each time in a fork of one process that has imported it.

One request a line on standard input, as JSON: the arguments, the environment, and the files that
take standard output and standard error. Each is answered with a line: the exit code, negative for a
signal. A fork ends as any interpreter does, so that what runs at exit runs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from typing import Any

import treemend.agents.api
import treemend.agents.cli
import treemend.agents.commands.presentation
import treemend.agents.graph
import treemend.agents.wiring
from treemend.agents.model.provider import load_litellm

if "--with-models" in sys.argv:
    load_litellm()


def serve() -> dict[str, Any] | None:
    """Answers requests; returns, in a fork, the one that it is to carry out."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            request: dict[str, Any] = json.loads(line)
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def become(request: dict[str, Any]) -> None:
    """Take the streams, the environment and the arguments of a request."""
    streams = (
        (request.get("stdin", os.devnull), os.O_RDONLY),
        *((request[name], os.O_WRONLY) for name in ("stdout", "stderr")),
    )
    for number, (path, flags) in enumerate(streams):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.argv = ["treemend", *request["arguments"]]


if __name__ == "__main__":
    assert threading.active_count() == 1, "a fork has one thread"
    request = serve()
    if request is not None:
        become(request)
        treemend.agents.cli.main()
