"""Runs any test command inside the sandbox, and sends its output and its reports over a pipe.

Started as a script with treemend's own interpreter: standard library only. It reads its request (JSON) from
standard input, and writes events to the file descriptor that TREEMEND_REPORT_FD names, one a line: the
nonce of the request, a space, JSON. The command inherits neither the pipe nor the nonce.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import json
import os
import signal
import stat
import subprocess
import sys
import time

REPORTS_MAX = 5000
REPORTS_BYTES_MAX = 32 << 20
OUTPUT_BYTES_MAX = 8 << 20
Stamp = tuple[int, int, int]


def main() -> int:
    pipe = int(os.environ.pop("TREEMEND_REPORT_FD"))
    os.set_inheritable(pipe, False)
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))

    def send(event: str, **values: object) -> None:
        line = f"{request['nonce']} {json.dumps(dict(values, event=event))}\n"
        data = line.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(pipe, data) :]

    make_links(request["links"])
    output = os.path.join(os.environ.get("TMPDIR", "/tmp"), "treemend-output")
    before = stamps(request["reports"])
    started = time.monotonic()
    code, timed_out = run(expanded(request["argv"], request["globs"]), request["limit_s"], output)
    seconds = time.monotonic() - started
    left = REPORTS_BYTES_MAX
    for path in written(request["reports"], before):
        data, problem = read_file(path, left)
        left -= len(data)
        send("report", path=path, data=base64.b64encode(data).decode(), problem=problem)
    data = read_output(output)
    send("output", data=base64.b64encode(data).decode())
    send("end", exit=code, timed_out=timed_out, seconds=seconds, root=os.getcwd())
    return 0


def make_links(links: dict[str, str]) -> None:
    """Links to folders outside, by path from the tree or, after "~/", from the home folder."""
    for name, target in links.items():
        path = os.path.expanduser(name) if name.startswith("~/") else name
        if not os.path.lexists(path):
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
                os.symlink(target, path)


def expanded(argv: list[str], globs: list[str]) -> list[str]:
    """The words with those of `globs` as a shell expands them."""
    return [word for each in argv for word in (sorted(glob.glob(each)) if each in globs else ()) or [each]]


def run(argv: list[str], limit_s: float, output: str) -> tuple[int, bool]:
    """The command's exit code (negative: the signal that ended it), and whether its time was over."""
    with open(output, "wb") as file:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        except OSError as error:
            file.write(f"{argv[0]}: {error.strerror}\n".encode("utf-8", "replace"))
            return 127, False
        try:
            return process.wait(limit_s), False
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return process.wait(), True


def _found(patterns: list[str]) -> list[str]:
    found = set()
    for pattern in patterns:
        for path in glob.iglob(pattern, recursive=True):
            found.add(path)
            if len(found) > REPORTS_MAX:
                break
    return sorted(found)


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def stamps(patterns: list[str]) -> dict[str, Stamp | None]:
    return {path: _stamp(path) for path in _found(patterns)}


def written(patterns: list[str], before: dict[str, Stamp | None]) -> list[str]:
    """What is new or was written since: a report that came with the tree says nothing of this run."""
    return [path for path in _found(patterns) if path not in before or _stamp(path) != before[path]]


def read_file(path: str, bytes_max: int) -> tuple[bytes, str]:
    """The bytes of a regular file, or b"" and why not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return b"", error.strerror or "it can't be opened"
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return b"", "it is no regular file"
        if status.st_size > bytes_max:
            return b"", f"it has {status.st_size} bytes, and {bytes_max} are left to read"
        return file.read(bytes_max), ""


def read_output(path: str) -> bytes:
    """What the command printed: all of it, or its beginning and its end."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= OUTPUT_BYTES_MAX:
            return file.read()
        first = file.read(OUTPUT_BYTES_MAX // 2)
        file.seek(-(OUTPUT_BYTES_MAX // 2), os.SEEK_END)
        return first + b"\n[...]\n" + file.read()


if __name__ == "__main__":
    sys.exit(main())
