"""Runs one confined process to its end: its pipes, its limits and its death.

Every sandbox starts its mechanism through `supervise`. The mechanism writes one byte (`READY`) to
the report pipe right before it hands over to the command; without it the command never ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from treemend.store.errors import SandboxUnavailableError
from treemend.verify.disk import IsOver
from treemend.verify.memory import MemoryWatch
from treemend.verify.pipes import Capped, Reader, Writer
from treemend.verify.sandbox import Command, CommandResult, Ending, Stream

READY = b"\n"
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_SETUP_S = 120.0
_DEATH_S = 5.0
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Launch:
    """How a mechanism is started.

    Attributes:
        argv: The program, an absolute path, and its arguments.
        pass_fds: Descriptors that it inherits besides its standard, report and status pipes.
        grace_s: Seconds between SIGTERM and SIGKILL for a mechanism that kills its own tree;
            0 kills at once.
        over_disk: Looked at every 0.1 s; True ends the command at its limit of disk.
    """

    argv: Sequence[str]
    pass_fds: Sequence[int] = ()
    grace_s: float = 0.0
    over_disk: IsOver | None = None


async def supervise(command: Command, mechanism: str, launch: Callable[[int, int], Launch]) -> CommandResult:
    """Start what `launch(report_fd, status_fd)` describes and see it to its end.

    The status pipe takes lines of JSON; `{"child-pid": n}` names the first process of a process
    namespace, whose death is the death of all.

    Raises:
        SandboxUnavailableError: the mechanism ended before the command started.
    """
    run = _Run(command, mechanism)
    try:
        run.start(launch)
        ending = await run.ended
    finally:
        await _uncancelled(run.close())
    return run.result(ending)


async def _uncancelled(closing: Coroutine[None, None, None]) -> None:
    """Await `closing` to its end even while the caller is cancelled; raise that afterwards."""
    task = asyncio.ensure_future(closing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


class _Run:
    """The state of one supervised process."""

    def __init__(self, command: Command, mechanism: str) -> None:
        self._command = command
        self._mechanism = mechanism
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self._stdout = self._capped("stdout")
        self._stderr = self._capped("stderr")
        self._report_left = command.limits.report_bytes
        self._report_error: Exception | None = None
        self._closing = threading.Event()
        self._status = b""
        self._ready_at: float | None = None
        self._wall_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._init_pidfd = -1
        self._init_pid = 0
        self._memory = MemoryWatch(command.limits.memory_bytes)
        self._grace_s = 0.0
        self._over_disk: IsOver | None = None
        self._readers: list[Reader] = []
        self._writer: Writer | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._watched: asyncio.Future[Ending | None] | None = None

    def _capped(self, stream: Stream) -> Capped:
        hand_on = self._command.on_output
        on_kept = None if hand_on is None else functools.partial(hand_on, stream)
        return Capped(self._command.limits.output_bytes, lambda: self._end("output"), on_kept)

    # -- start ---------------------------------------------------------------------------------

    def start(self, launch: Callable[[int, int], Launch]) -> None:
        report_r, report_w = os.pipe()
        status_r, status_w = os.pipe()
        self._readers = [Reader(report_r, self._take_report), Reader(status_r, self._take_status)]
        try:
            self._process = process = self._spawn(launch(report_w, status_w), report_w, status_w)
        finally:
            os.close(report_w)
            os.close(status_w)
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._end, "exit")
        assert process.stdout is not None and process.stderr is not None
        self._readers.append(Reader(os.dup(process.stdout.fileno()), self._stdout.take))
        self._readers.append(Reader(os.dup(process.stderr.fileno()), self._stderr.take))
        if process.stdin is not None:
            talks = self._command.on_start is not None
            stdin = os.dup(process.stdin.fileno())
            self._writer = Writer(stdin, self._command.stdin, stays_open=talks)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self._limit = self._loop.call_later(_SETUP_S, self._end, "time")
        if self._command.on_start is not None and self._writer is not None:
            self._command.on_start(self._writer.write)

    def _spawn(self, launch: Launch, report_w: int, status_w: int) -> subprocess.Popen[bytes]:
        self._grace_s = launch.grace_s
        self._over_disk = launch.over_disk
        try:
            return subprocess.Popen(
                launch.argv,
                bufsize=0,
                stdin=subprocess.PIPE if self._reads_stdin() else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=(report_w, status_w, *launch.pass_fds),
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxUnavailableError(
                f"{self._mechanism}: {launch.argv[0]} can't be started: {error.strerror}",
                mend="Choose another mechanism with --sandbox, or --sandbox none at your own risk.",
            ) from error

    def _reads_stdin(self) -> bool:
        return bool(self._command.stdin) or self._command.on_start is not None

    # -- events --------------------------------------------------------------------------------

    def _end(self, ending: Ending) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)

    def _take_report(self, data: bytes) -> None:
        if self._ready_at is None:
            self._start_clock()
            data = data[len(READY) :]
        if data and self._report_left >= 0:
            self._hand_on(data[: self._report_left])
        self._report_left -= len(data)
        if self._report_left < 0:
            self._end("output")

    def _hand_on(self, data: bytes) -> None:
        if self._command.on_report is None or self._report_error is not None:
            return
        try:
            seconds = self._command.on_report(data)
        except Exception as error:
            self._report_error = error
            self._end("exit")
            return
        if seconds is not None and not self._closing.is_set():
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self._loop.call_later(seconds, self._end, "deadline")

    def _start_clock(self) -> None:
        self._ready_at = time.monotonic()
        if self._closing.is_set():
            return
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self._loop.call_later(self._command.limits.wall_s, self._end, "time")
        self._watch()

    def _watch(self) -> None:
        """Look at memory and disk, in a thread of their own: counting waits for processes that are busy
        forking, and no other limit may wait for that."""
        self._watched = self._loop.create_future()
        self._watched.add_done_callback(self._take_watched)
        threading.Thread(target=self._look_until_closing, daemon=True).start()

    def _look_until_closing(self) -> None:
        assert self._watched is not None
        try:
            ending = self._limit_passed()
            while ending is None and not self._closing.wait(_LOOK_EVERY_S):
                ending = self._limit_passed()
            told = functools.partial(self._watched.set_result, ending)
        except Exception as error:
            told = functools.partial(self._watched.set_exception, error)
        self._loop.call_soon_threadsafe(told)

    def _limit_passed(self) -> Ending | None:
        assert self._process is not None
        # What ends meanwhile can't be looked at, or half of it.
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._memory.is_over(self._process.pid):
                return "memory"
            if self._over_disk is not None and self._over_disk(self._init_pid or self._process.pid):
                return "disk"
        return None

    def _take_watched(self, watched: asyncio.Future[Ending | None]) -> None:
        """End what passed a limit, and what can't be watched; `close` raises why."""
        ending = "exit" if watched.exception() else watched.result()
        if ending is not None:
            self._end(ending)

    def _take_status(self, data: bytes) -> None:
        *lines, self._status = (self._status + data).split(b"\n")
        for line in lines:
            pid = _child_pid(line)
            if pid is not None and self._init_pidfd < 0:
                self._init_pidfd = _open_init(pid)
                self._init_pid = pid if self._init_pidfd >= 0 else 0

    # -- end -----------------------------------------------------------------------------------

    async def close(self) -> None:
        """Kill what still runs, wait until it is dead, take what lies in the pipes, close all."""
        self._closing.set()
        if self._readers:
            self._readers[0].drain(0)
        if self._ready_at is not None:
            self._wall_s = time.monotonic() - self._ready_at
        for timer in (self._limit, self._deadline):
            if timer is not None:
                timer.cancel()
        try:
            if self._process is not None:
                await self._kill(self._process)
            if self._watched is not None:
                await self._watched
        finally:
            self._close_pipes()

    async def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self._readers[1].drain(0)
        self._loop.remove_reader(self._pidfd)
        if self._grace_s:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
            await self._dead(self._pidfd, self._grace_s)
        # The process is not reaped yet, so that its group can't be anybody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._init_pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_pidfd, signal.SIGKILL)
            await self._dead(self._init_pidfd, _DEATH_S)
        await self._dead(self._pidfd, _DEATH_S)
        process.poll()

    async def _dead(self, pidfd: int, timeout_s: float) -> None:
        dead = asyncio.Event()
        self._loop.add_reader(pidfd, dead.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(dead.wait(), timeout_s)
        finally:
            self._loop.remove_reader(pidfd)

    def _close_pipes(self) -> None:
        limits = self._command.limits
        for reader, most_bytes in zip(
            self._readers,
            (limits.report_bytes, 0, limits.output_bytes, limits.output_bytes),
            strict=False,
        ):
            reader.drain(most_bytes)
            reader.close()
        if self._writer is not None:
            self._writer.close()
        for fd in (self._pidfd, self._init_pidfd):
            if fd >= 0:
                os.close(fd)

    def result(self, ending: Ending) -> CommandResult:
        assert self._process is not None
        if self._report_error is not None:
            raise self._report_error
        if self._ready_at is None:
            why = _last_line(self._stderr.value())
            raise SandboxUnavailableError(
                f"{self._mechanism} broke before the command ran: {why}",
                mend="Choose another mechanism with --sandbox, or --sandbox none at your own risk.",
            )
        code = -signal.SIGKILL.value
        if ending == "exit":
            code = _signed(self._process.returncode or 0)
            ending = "signal" if code < 0 else "exit"
        return CommandResult(
            exit_code=code,
            ended_by=ending,
            stdout=self._stdout.value(),
            stderr=self._stderr.value(),
            wall_s=self._wall_s,
        )


def _signed(returncode: int) -> int:
    """A negative signal number where the exit code stands for one (128 + n, as in a shell)."""
    if returncode - 128 in signal.valid_signals():
        return 128 - returncode
    return returncode


def _child_pid(line: bytes) -> int | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    pid = message.get("child-pid") if isinstance(message, dict) else None
    return pid if isinstance(pid, int) else None


def _open_init(pid: int) -> int:
    """A pidfd of `pid` if it is still the first process of a namespace, else -1."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return -1
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
        for line in status:
            if line.startswith(b"NSpid:") and line.split()[-1] == b"1":
                return pidfd
    os.close(pidfd)
    return -1


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
