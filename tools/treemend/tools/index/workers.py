"""A pool of processes that parse: what hangs or breaks one costs the file that it was at."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from treemend.store.errors import StoreError
from treemend.tools.index.content import Skip
from treemend.tools.index.worker import READY

TASK_S_MAX = 30.0
"""Wall clock for one file; the worker's own limit, of CPU time, comes first on an idle machine."""
_BATCH_BYTES = 200_000
_BATCH_FILES = 40
_START = "import json,sys; sys.path[:] = json.loads(sys.argv[1]); from {} import main; main()"
_MODULE = "treemend.tools.index.worker"
_FRAME_BYTES_MAX = 1 << 28
_READ_BYTES = 1 << 20
_START_S_MAX = 60.0


class WorkerUnavailableError(StoreError):
    """No process that parses can be started here."""

    def __init__(self) -> None:
        super().__init__(
            f"The process that parses source files ends right after its start ({sys.executable}).",
            mend="Install treemend anew, so that the tree-sitter packages it names are there.",
        )


@dataclass(frozen=True, slots=True)
class Work:
    """A task for a worker: its head (verb and arguments), the source, and what it is known by here."""

    key: Any
    head: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The frames that came back for the work with this key, or why there are none."""

    key: Any
    frames: tuple[bytes, ...] = ()
    failure: Skip | None = None


class Pool:
    """Up to `size` workers, started with the first work and kept until `close`."""

    def __init__(
        self, size: int | None = None, *, task_s_max: float = TASK_S_MAX, module: str = _MODULE
    ) -> None:
        self.size = size or max(1, min(8, os.cpu_count() or 1))
        self._task_s_max = task_s_max
        self._module = module
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self._idle:
            worker.end()
        self._idle.clear()

    def run(self, works: Iterable[Work], frames: int) -> Iterator[Answer]:
        """The answers, each of `frames` frames, in the order in which they come.

        `works` is drawn from as workers need it; the answers wait in a bounded queue.
        """
        batches = _Batches(works)
        answers: queue.Queue[Answer | None] = queue.Queue(maxsize=256)
        threads = [
            threading.Thread(target=self._serve, args=(batches, answers, frames), daemon=True)
            for _ in range(min(self.size, batches.worth))
        ]
        for thread in threads:
            thread.start()
        open_threads = len(threads)
        try:
            while open_threads:
                answer = answers.get()
                if answer is None:
                    open_threads -= 1
                else:
                    yield answer
        finally:
            batches.stop()
            while open_threads:
                open_threads -= answers.get() is None
        batches.raise_failure()

    def _serve(self, batches: _Batches, answers: queue.Queue[Answer | None], frames: int) -> None:
        worker = self._idle.pop() if self._idle else None
        try:
            while batch := batches.next():
                while batch:
                    worker = worker or _Worker(self._module)
                    done, batch = worker.work(batch, frames, self._task_s_max, answers.put)
                    if not done:
                        worker.end()
                        worker = None
            if worker is not None:
                self._idle.append(worker)
        except StoreError as error:
            batches.fail(error)
        finally:
            answers.put(None)


class _Batches:
    """Work in portions that are worth the way to a worker, handed to several threads."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._works = iter(works)
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._first = self._draw()
        self._second = self._draw() if self._first else []
        self.worth = 1 if not self._second else sys.maxsize

    def next(self) -> list[Work]:
        with self._lock:
            self._first, self._second, batch = self._second, self._draw() if self._second else [], self._first
            return batch

    def stop(self) -> None:
        with self._lock:
            self._first, self._second, self._works = [], [], iter(())

    def fail(self, error: BaseException) -> None:
        """Stop, and let the one that asked for the answers know why."""
        self._failure = error
        self.stop()

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _draw(self) -> list[Work]:
        batch: list[Work] = []
        size = 0
        try:
            for work in self._works:
                batch.append(work)
                size += len(work.data)
                if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
                    break
        except BaseException as error:  # handed to the thread that asked for the answers
            self._failure = error
            self._works = iter(())
        return batch


class _Worker:
    """One process."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START.format(module), json.dumps(_search_path())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
            cwd="/",
        )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        self._buffer = bytearray()
        self._at = 0
        self._check_start()

    def _check_start(self) -> None:
        try:
            ready = self._frame(time.monotonic() + _START_S_MAX)
        except (TimeoutError, EOFError) as error:
            self.end()
            raise WorkerUnavailableError from error
        assert ready == READY

    def work(
        self, batch: Sequence[Work], frames: int, task_s_max: float, put: Callable[[Answer], None]
    ) -> tuple[bool, list[Work]]:
        """Whether the process is still usable, and the work that is left over if it is not."""
        if not self._send(batch):
            put(Answer(batch[0].key, failure=Skip.CRASHED))
            return False, list(batch[1:])
        for at, work in enumerate(batch):
            deadline = time.monotonic() + task_s_max
            try:
                put(self._receive(work, frames, deadline))
            except TimeoutError:
                put(Answer(work.key, failure=Skip.TIMED_OUT))
                return False, list(batch[at + 1 :])
            except EOFError:
                put(Answer(work.key, failure=self._cause_of_death()))
                return False, list(batch[at + 1 :])
        return True, []

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send(self, batch: Sequence[Work]) -> bool:
        parts = [_frame(str(len(batch)).encode())]
        for work in batch:
            parts += (_frame(json.dumps(work.head).encode()), _frame(work.data))
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"".join(parts))
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _receive(self, work: Work, frames: int, deadline: float) -> Answer:
        if self._frame(deadline) != b"\1":
            self._frame(deadline)
            return Answer(work.key, failure=Skip.CRASHED)
        return Answer(work.key, tuple([self._frame(deadline) for _ in range(frames)]))

    def _frame(self, deadline: float) -> bytes:
        (size,) = struct.unpack("<I", self._bytes(4, deadline))
        if size > _FRAME_BYTES_MAX:
            raise EOFError
        return self._bytes(size, deadline)

    def _bytes(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) - self._at < size:
            self._fill(deadline)
        self._at += size
        return bytes(self._buffer[self._at - size : self._at])

    def _fill(self, deadline: float) -> None:
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        data = os.read(self._stdout, _READ_BYTES)
        if not data:
            raise EOFError
        self._buffer += data

    def _cause_of_death(self) -> Skip:
        code = self._process.wait()
        return Skip.TIMED_OUT if code == -signal.SIGXCPU else Skip.CRASHED


def _frame(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _search_path() -> list[str]:
    """Where this process found its modules, but for folders that are only where it was started."""
    return [folder for folder in sys.path if os.path.isabs(folder)]
