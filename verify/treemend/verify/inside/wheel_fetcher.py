"""Downloads wheels with pip inside the sandbox, and sends them over a pipe. Standard library only.

It reads its request (JSON) from standard input, and writes events to the file descriptor that
TREEMEND_REPORT_FD names, one a line: the nonce of the request, a space, JSON.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

CHUNK_BYTES = 1 << 20


def main() -> int:
    pipe = int(os.environ.pop("TREEMEND_REPORT_FD"))
    os.set_inheritable(pipe, False)
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))

    def send(**event: object) -> None:
        data = f"{request['nonce']} {json.dumps(event)}\n".encode()
        while data:
            data = data[os.write(pipe, data) :]

    code = subprocess.call(request["argv"], stdin=subprocess.DEVNULL)
    for name in sorted(os.listdir("wheels")) if code == 0 else ():
        with open(os.path.join("wheels", name), "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                send(event="wheel", name=name, data=base64.b64encode(chunk).decode())
    send(event="end", exit=code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
