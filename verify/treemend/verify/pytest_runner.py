"""A cold pytest or unittest: one fresh process in a fresh sandbox for each request."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace

from treemend.verify.probe_events import Listener, Progress, no_progress
from treemend.verify.pytest_target import PROBES, PytestTarget
from treemend.verify.runner import TestReport, TestRequest

RESTARTS_MAX = 20


@dataclass(frozen=True, slots=True)
class PytestRunner:
    """Runs each request in a process of its own, on a copy of the tree of its own.

    `progress` is told how many of how many tests of a request have run.
    """

    target: PytestTarget
    progress: Progress = no_progress

    @property
    def records_lines(self) -> bool:
        return True

    async def run(self, request: TestRequest) -> TestReport:
        """Run the tests asked for; a process that a hanging test took down is started again for the
        tests after it, unless the request has a gate (a hang is then what ends it)."""
        report = await self._run_once(request)
        for _ in range(RESTARTS_MAX):
            left = _left(report)
            if request.gate is not None or not left or not report.problem:
                return report
            rest = await self._run_once(replace(request, tests=left), len(report.results))
            if not rest.results:
                return report
            report = _joined(report, rest)
        return report

    async def _run_once(self, request: TestRequest, done_before: int = 0) -> TestReport:
        def progress(done: int, total: int) -> None:
            self.progress(done_before + done, done_before + total)

        listener = Listener(secrets.token_hex(16), request, progress)
        asked = json.dumps(self.target.probe_request(request, listener.nonce)).encode()
        command = self.target.command(PROBES[self.target.framework], request, listener.hear)
        command = replace(command, overlay=request.overlay, stdin=asked)
        return listener.report(await self.target.sandbox.run(command))


def _left(report: TestReport) -> tuple[str, ...]:
    return tuple(test for test in report.collected or () if test not in report.results)


def _joined(first: TestReport, second: TestReport) -> TestReport:
    return replace(
        second,
        results={**first.results, **second.results},
        collected=first.collected,
        collection_errors={**first.collection_errors, **second.collection_errors},
        import_lines=first.import_lines,
        wall_s=first.wall_s + second.wall_s,
    )
