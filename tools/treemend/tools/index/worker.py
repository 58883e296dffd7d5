"""The process that parses. It reads tasks from standard input and writes answers to standard output.

A frame is a length (4 bytes, little endian) and that many bytes. A task's first frame is its JSON head,
a list; the frames that its verb needs follow. Each answer begins with one frame of one byte: 1 if
the rest follows, 0 if the task failed. The process ends at the end of its input.
"""

from __future__ import annotations

import gc
import json
import resource
import struct
import sys
from typing import IO

_CPU_S_MAX = 10
_MEMORY_BYTES_MAX = 1 << 30
_FRAME_BYTES_MAX = 1 << 26
READY = b"ready"


def main() -> None:
    """Serve until the input ends."""
    # Nearly nothing here is cyclic: what is can wait.
    gc.set_threshold(500_000)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    write_frames(sink, [READY])
    while (head := read_frame(source)) is not None:
        count = json.loads(head)
        tasks = [(json.loads(_needed(source)), _needed(source)) for _ in range(count)]
        for task, data in tasks:
            _limit_cpu()
            write_frames(sink, _answer(task, data))


def _answer(task: list[str], data: bytes) -> list[bytes]:
    try:
        if task[0] == "facts":
            from treemend.tools.index.extraction import extract_facts
            from treemend.tools.index.facts import encode_facts

            return [b"\1", *encode_facts(extract_facts(task[1], data))]
        from treemend.tools.index.structural import find_matches

        return [b"\1", json.dumps(find_matches(task[1], task[2], data)).encode()]
    except (
        MemoryError,
        RecursionError,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        # A grammar's tree that the extraction doesn't expect costs this file alone.
        return [b"\0", repr(error)[:500].encode("utf-8", "replace")]


def _limit_cpu() -> None:
    """The kernel ends this process when one task takes longer than it may."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _CPU_S_MAX
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _needed(source: IO[bytes]) -> bytes:
    frame = read_frame(source)
    if frame is None:
        raise EOFError
    return frame


def read_frame(source: IO[bytes]) -> bytes | None:
    """The next frame; None at the end of the input. Raises EOFError within a frame."""
    head = source.read(4)
    if not head:
        return None
    (size,) = struct.unpack("<I", head)
    data = source.read(size) if size <= _FRAME_BYTES_MAX else b""
    if len(data) != size:
        raise EOFError
    return data


def write_frames(sink: IO[bytes], frames: list[bytes]) -> None:
    for frame in frames:
        sink.write(struct.pack("<I", len(frame)))
        sink.write(frame)
    sink.flush()
