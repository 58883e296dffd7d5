"""From a thought to a candidate, and from a candidate to its verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from treemend.agents.feedback import FEEDBACK, Feedback, feedback_of, is_progress
from treemend.agents.judging.confirmation import Trial
from treemend.agents.judging.judge import Ruling, changed_functions, rule
from treemend.agents.progress import Working
from treemend.agents.reproduction import Observation, Reproducer
from treemend.agents.run_context import RunContext, executions_of
from treemend.search.reward import reproduced_reward, reward
from treemend.store.records import (
    UNTOUCHED,
    Candidate,
    Edit,
    FailureExplanation,
    Place,
    Spend,
    TestOutcome,
    Verdict,
)
from treemend.tools.edits import apply_edits
from treemend.tools.module_digest import ModuleDigest
from treemend.tools.patches import unified_diff
from treemend.tools.source import NotEditable, SourceFile
from treemend.verify.added_code import ChangedText
from treemend.verify.baseline import limits_by_test
from treemend.verify.behaviour import FUNCTIONS_MAX, behaviour_classes, observe_behaviour
from treemend.verify.judgement import Tally, covering, tally
from treemend.verify.runner import RecordedCall, TestReport, TestRequest, TestRunner
from treemend.verify.spectra import Line

UNTRUSTED_LIMIT_S = 5.0
PATIENCE = 4.0
"""How many times its own limit a test gets in the verdict of record, which load must not decide; the limit
that a user gave stands."""
RECORDED_TESTS_MAX = 60
EXPLAINED_PATIENCE = 10.0
"""How many times its own limit a test gets while it is traced."""
CLASSED_MAX = 30
"""Candidates whose behaviour is compared, the likeliest."""
AHEAD_MAX = 4000
"""Reports that are kept of what was run before it was asked for."""


@dataclass(frozen=True, slots=True)
class Patched:
    """The files that edits change: what they hold afterwards, the diff, and a digest of their syntax."""

    files: Mapping[str, bytes]
    patch: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """Edits that may become a candidate, and the places of the thoughts that lead to them."""

    edits: tuple[Edit, ...]
    places: tuple[Place, ...]


Grade = Callable[[Candidate], Awaitable[float | None]]
"""What somebody thinks of a plausible candidate, in [-1, 1]; None for nothing."""


class Evaluator:
    """Judges candidates by the tests of the baseline; `grade` tells plausible ones apart in the search."""

    def __init__(
        self,
        context: RunContext,
        observation: Observation,
        sources: Mapping[str, SourceFile],
        grade: Grade | None = None,
    ) -> None:
        self._context = context
        self._grade = grade
        self._sources = sources
        self._digests: dict[str, ModuleDigest] = {}
        self._baseline = observation.baseline
        self._targets = _hangs_last(self._baseline.targets, observation)
        self._lines = {test: result.lines for test, result in observation.traced.results.items()}
        self._import_lines = observation.traced.import_lines
        self._load_plugins = observation.load_plugins
        self._reproducers = observation.reproducers if not self._baseline.targets else ()
        fixed_s = context.task.test_timeout_s
        self._untrusted_limit_s = fixed_s or UNTRUSTED_LIMIT_S
        self._limits_s = limits_by_test(observation.suite.results, fixed_s)
        self._ahead: dict[bytes, TestReport] = {}
        self._asked: set[bytes] = set()

    @property
    def targets(self) -> tuple[str, ...]:
        """The target tests, those that hung last: the first hang ends a candidate's evaluation."""
        return self._targets

    @property
    def nothing_passes(self) -> Verdict:
        """The verdict of a patch that changes nothing."""
        return Verdict(
            candidate=UNTOUCHED,
            targets_passed=0,
            targets=len(self.targets),
            regressions=(),
            not_run=0,
            plausible=False,
            reward=0.0,
            reproducers=len(self._reproducers),
        )

    def patched(self, edits: Sequence[Edit]) -> Patched:
        """Apply edits to the untouched tree, in memory."""
        texts = self._texts(edits)
        files = {path: self._sources[path].encode(text) for path, text in texts.items()}
        patches = (unified_diff(path, self._sources[path].data, data) for path, data in files.items())
        digests = (f"{path}:{self._digest_of(path).after(_of_file(path, edits))}" for path in texts)
        return Patched(files, b"".join(patches), "\n".join(digests))

    def _texts(self, edits: Sequence[Edit]) -> dict[str, str]:
        return {
            path: apply_edits(self._sources[path].text, _of_file(path, edits))
            for path in sorted({edit.path for edit in edits})
        }

    def untouched_digest(self, edits: Sequence[Edit]) -> str:
        """The digest that edits of these files give when they change nothing but form."""
        paths = sorted({edit.path for edit in edits})
        return "\n".join(f"{path}:{self._digest_of(path).untouched}" for path in paths)

    def _digest_of(self, path: str) -> ModuleDigest:
        if path not in self._digests:
            self._digests[path] = ModuleDigest(self._sources[path].text)
        return self._digests[path]

    async def evaluate(
        self, candidate: Candidate, places: Sequence[Place], before: Feedback
    ) -> tuple[Verdict, Feedback | None]:
        """Run the target tests, then the regression tests that the change can reach; record all of it.

        Feedback comes with a verdict that is progress on what was known `before`, without regression; to a
        model that thinks, with every one.
        """
        regression = self._reached(candidate.edits, places)
        report = await self._run_or_recall(candidate.edits, regression)
        result = tally(report, self.targets, regression)
        if self._reproducers:
            reproduced = await self.run_untrusted(candidate, self._reproducers)
            report = _together(report, reproduced)
            verdict = _reproduced_verdict(candidate, result, reproduced)
        else:
            grade = await self._grade(candidate) if self._grade is not None and result.plausible else None
            verdict = _verdict(candidate, result, grade)
        after = feedback_of(report.results, self._wanted)
        progress = not (verdict.plausible or verdict.regressions) and is_progress(before, after)
        told = progress or self._context.task.models is not None
        self._context.store.record_evaluation(
            self._context.id,
            verdict,
            executions_of(report, candidate.seq, attempt=1),
            _spend("candidate", candidate.seq, report),
            {feedback_name(candidate): FEEDBACK.dump_json(after)} if told else {},
        )
        return verdict, after if told else None

    async def run_ahead(self, prospect: Prospect) -> None:
        """Run what `evaluate` would run, and keep the report in memory until it asks: nothing is recorded,
        and nothing is run twice."""
        regression = self._reached(prospect.edits, prospect.places)
        request = self._request(prospect.edits, regression, gate=len(self.targets) or None)
        key = _key(request)
        if key in self._asked or not request.tests or len(self._ahead) >= AHEAD_MAX:
            return
        self._asked.add(key)
        self._ahead[key] = await (self._context.warm or self._context.runner).run(request)

    async def _run_or_recall(self, edits: Sequence[Edit], regression: Sequence[str]) -> TestReport:
        """Run the target tests and these, or take the report of what was run ahead."""
        request = self._request(edits, regression, gate=len(self.targets) or None)
        key = _key(request)
        self._asked.add(key)
        known = self._ahead.pop(key, None)
        if known is None:
            return await self._run(request, self._context.warm)
        self._context.tests_run += len(known.results)
        # Its time was that of the call that was waited for.
        return replace(known, wall_s=0.0)

    def _reached(self, edits: Sequence[Edit], places: Sequence[Place]) -> tuple[str, ...]:
        """The regression tests that a change can reach."""
        if not self._context.runner.records_lines:
            return self._baseline.regression
        changed = self._changed(edits, places)
        return covering(self._baseline.regression, self._lines, self._import_lines, changed)

    async def _run(self, request: TestRequest, runner: TestRunner | None = None) -> TestReport:
        """Run tests; where a change reaches none, there is nothing to run."""
        if not request.tests:
            return TestReport(results={}, collected=())
        return await self._context.run_tests(request, runner)

    @property
    def _wanted(self) -> tuple[str, ...]:
        return self.targets or tuple(test.id for test in self._reproducers)

    async def run_untrusted(self, candidate: Candidate, tests: Sequence[Reproducer]) -> TestReport:
        """Run tests that a model wrote against a candidate, in a process of their own."""
        files = {test.path: test.code.encode() for test in tests}
        request = self._request(candidate.edits, (), gate=None)
        names = tuple(test.id for test in tests)
        return await self._context.run_tests(
            replace(
                request, overlay={**files, **request.overlay}, tests=names, limit_s=self._untrusted_limit_s
            )
        )

    def recorded_feedback(self, candidate: Candidate) -> Feedback | None:
        """The feedback that came with a candidate's verdict."""
        data = self._context.store.get_blob(self._context.id, feedback_name(candidate))
        return None if data is None else FEEDBACK.validate_json(data)

    async def record_untrusted(self, candidate: Candidate, tests: Sequence[Reproducer]) -> None:
        """Run those of the tests that did not run on a candidate yet, and record what they gave."""
        store, run_id = self._context.store, self._context.id
        known = {one.test for one in store.executions(run_id, candidate.seq)}
        left = [test for test in tests if test.id not in known]
        if left:
            report = await self.run_untrusted(candidate, left)
            spend = _spend("untrusted", candidate.seq, report)
            store.add_executions(run_id, executions_of(report, candidate.seq, attempt=1), spend)

    async def confirm(self, candidate: Candidate, calls: Sequence[RecordedCall]) -> Ruling:
        """The verdict of record: targets and every test that passed before, cold, in a fresh tree, and what
        the judge says of the patch. `calls` are those whose behaviour is compared.

        A step that runs again finds the recorded reports.
        """
        request = TestRequest(
            limits_s=patient_limits(self._limits_s, self._context.task.test_timeout_s),
            load_plugins=self._load_plugins,
        )
        baseline = replace(self._baseline, targets=self.targets)
        return await rule(self._context, self._trial(candidate), baseline, request, calls)

    async def explain(self, candidate: Candidate) -> FailureExplanation | None:
        """How the first target test that fails with a candidate comes to fail, or the first reproducer where
        there is no target, from a run of it that is traced; None where none fails but by a hang.
        Costs one cold run, once."""
        executions = self._context.store.executions(self._context.id, candidate.seq)
        # A trace of a hang would take its time and tell where it was stopped.
        failed = {e.test for e in executions if e.outcome not in (TestOutcome.PASSED, TestOutcome.TIMEOUT)}
        test = next((test for test in self._wanted if test in failed), None)
        if test is None:
            return None
        request = self._request(candidate.edits, (), gate=None)
        patient = {test: EXPLAINED_PATIENCE * self._limits_s.get(test, self._untrusted_limit_s)}
        overlay = {**{one.path: one.code.encode() for one in self._reproducers}, **request.overlay}
        request = replace(request, tests=(test,), explained=True, limits_s=patient, overlay=overlay)
        report = await self._context.once(f"explained-{candidate.seq}", request, "tracing a failure")
        return report.results[test].explanation if test in report.results else None

    async def record_calls(self, candidates: Sequence[Candidate]) -> tuple[RecordedCall, ...]:
        """How the tests call, on the untouched tree, the functions that these candidates change."""
        functions = {f: None for c in candidates for f in changed_functions(self._trial(c))}
        lines = [line for candidate in candidates for line in self._changed(candidate.edits, ())]
        reached = covering(self._baseline.regression, self._lines, self._import_lines, lines)
        tests = (*self.targets, *reached[:RECORDED_TESTS_MAX])
        if not functions or self._context.target is None:
            return ()
        request = TestRequest(
            tests=tests,
            recorded=tuple(functions)[:FUNCTIONS_MAX],
            limits_s=self._limits_s,
            load_plugins=self._load_plugins,
        )
        report = await self._context.once("calls", request, "recording how the tests call what was changed")
        return report.calls

    async def classes(
        self, candidates: Sequence[Candidate], calls: Sequence[RecordedCall]
    ) -> tuple[str, ...]:
        """The behaviour class of each candidate; () where nothing tells them apart."""
        if self._context.target is None or not calls or len(candidates) < 2:
            return ()
        likeliest = sorted(candidates, key=lambda candidate: -candidate.prior)[:CLASSED_MAX]
        overlays = [self._trial(candidate).overlay for candidate in likeliest]
        self._context.listener(Working("comparing what the candidates do"))
        reference, *seen = await observe_behaviour(self._context.target, [{}, *overlays], calls)
        found = behaviour_classes(reference, seen)
        named = dict(zip((candidate.seq for candidate in likeliest), found, strict=False))
        return tuple(named.get(c.seq, f"not seen: {c.seq}") for c in candidates) if found else ()

    def _trial(self, candidate: Candidate) -> Trial:
        after = self._texts(candidate.edits)
        return Trial(
            candidate=candidate.seq,
            patch=candidate.patch,
            texts=tuple(ChangedText(path, self._sources[path].text, text) for path, text in after.items()),
            runner=self._context.runner,
            base=self._context.runner,
            target=self._context.target,
            overlay={path: self._sources[path].encode(text) for path, text in after.items()},
        )

    def _request(self, edits: Sequence[Edit], regression: Sequence[str], gate: int | None) -> TestRequest:
        texts = self._texts(edits)
        return TestRequest(
            overlay={path: self._sources[path].encode(text) for path, text in texts.items()},
            tests=(*self.targets, *regression),
            gate=gate,
            limits_s=self._limits_s,
            load_plugins=self._load_plugins,
        )

    def _changed(self, edits: Sequence[Edit], places: Sequence[Place]) -> list[Line]:
        lines: set[Line] = set()
        for place in places:
            lines |= {(place.path, line) for line in range(place.line, place.end_line + 1)}
        for edit in edits:
            text = self._sources[edit.path].text
            first = text.count("\n", 0, edit.start) + 1
            last = first + text.count("\n", edit.start, edit.end)
            lines |= {(edit.path, line) for line in range(first, last + 1)}
        return sorted(lines)


def _key(request: TestRequest) -> bytes:
    """What tells requests on the same tree apart."""
    digest = hashlib.sha256(repr(request.tests).encode())
    for path, data in sorted(request.overlay.items()):
        digest.update(f"\0{path}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return digest.digest()


def _of_file(path: str, edits: Sequence[Edit]) -> list[Edit]:
    """The edits of one file, in order of their positions."""
    return sorted((edit for edit in edits if edit.path == path), key=lambda edit: edit.start)


def _hangs_last(targets: Sequence[str], observation: Observation) -> tuple[str, ...]:
    results = observation.suite.results
    return tuple(sorted(targets, key=lambda test: results[test].outcome is TestOutcome.TIMEOUT))


def patient_limits(limits_s: Mapping[str, float], fixed_s: float | None) -> dict[str, float]:
    """The limits of tests in the verdict of record; `fixed_s` is the user's own."""
    factor = PATIENCE if fixed_s is None else 1.0
    return {test: factor * limit_s for test, limit_s in limits_s.items()}


def feedback_name(candidate: Candidate) -> str:
    return f"feedback-{candidate.seq}"


def _verdict(candidate: Candidate, result: Tally, grade: float | None) -> Verdict:
    return Verdict(
        candidate=candidate.seq,
        targets_passed=result.targets_passed,
        targets=result.targets,
        regressions=result.regressions,
        not_run=result.not_run,
        plausible=result.plausible,
        reward=reward(
            result.targets_passed, result.targets, bool(result.regressions), result.plausible, grade
        ),
    )


def _reproduced_verdict(candidate: Candidate, result: Tally, reproduced: TestReport) -> Verdict:
    """Where no target test is known, a candidate is plausible that breaks nothing and lets a reproducer
    pass: any of them, for each may be wrong."""
    outcomes = [one.outcome is TestOutcome.PASSED for one in reproduced.results.values()]
    passed, broken = sum(outcomes), bool(result.regressions)
    return Verdict(
        candidate=candidate.seq,
        targets_passed=0,
        targets=0,
        regressions=result.regressions,
        not_run=result.not_run,
        plausible=result.plausible and passed > 0,
        reward=reproduced_reward(passed, max(1, len(outcomes)), broken),
        reproducers_passed=passed,
        reproducers=len(outcomes),
    )


def _together(first: TestReport, second: TestReport) -> TestReport:
    results = {**first.results, **second.results}
    return replace(first, results=results, wall_s=first.wall_s + second.wall_s)


def _spend(purpose: str, candidate: int, report: TestReport) -> Spend:
    return Spend(
        step=f"{purpose}-{candidate}",
        purpose=purpose,
        wall_s=report.wall_s,
        tests_run=len(report.results),
    )


def inherited(candidate: Candidate, verdicts: Mapping[int, Verdict], untouched: Verdict) -> Verdict:
    """The verdict of a duplicate: that of the candidate (or the untouched tree) that it equals."""
    same = verdicts.get(candidate.duplicate_of or UNTOUCHED, untouched)
    return same.model_copy(update={"candidate": candidate.seq})


def load_sources(tree: Path, paths: Sequence[str]) -> tuple[dict[str, SourceFile], dict[str, str]]:
    """The editable sources among these files, and why the others can't be edited."""
    sources: dict[str, SourceFile] = {}
    refused: dict[str, str] = {}
    for path in paths:
        try:
            sources[path] = SourceFile.read(tree / path)
        except NotEditable as error:
            refused[path] = str(error)
    return sources, refused
