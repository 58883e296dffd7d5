"""The nouns of the domain, as frozen values.

This is all that `search` knows of the store, so it imports neither sqlmodel nor anything that does.
A row is keyed by its run and a sequence number that the run's own steps give out (never the clock),
so that a step that runs again finds its rows.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, NewType

from pydantic import BaseModel, ConfigDict, Field

RunId = NewType("RunId", str)
UNTOUCHED = 0
"""The candidate number under which executions on the untouched tree are recorded."""

Strategy = Literal["mcts", "best-of-n", "linear"]


class Record(BaseModel):
    """A frozen value that refuses fields it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Frame(Record):
    """One frame of a stack trace, outermost first where several are listed."""

    path: str
    line: int
    function: str = ""


class Symptom(Record):
    """What the user sees go wrong; all empty means: whatever test fails."""

    issue: str = ""
    failing_tests: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    trace: str = ""


class Budget(Record):
    """Limits of one run; the first that is spent ends the search, and ranking still happens.

    `after` is the number of candidates executed after the first plausible one; `usd` and `tokens` bound
    what models may cost, `written` the number of candidates that they write.
    """

    time_s: float | None = Field(default=300.0, gt=0)
    candidates: int | None = Field(default=None, ge=1)
    after: int = Field(default=100, ge=0)
    usd: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    written: int | None = Field(default=None, ge=1)


ModelRole = Literal["plan", "code", "test", "judge"]


class Models(Record):
    """Which models think, and where they are reached. No key is among it: keys stay in the environment.

    Attributes:
        names: The model of each role, by litellm's name, and those to fall back on.
        api_base: The address of a server of one's own, "" for the provider's.
        record: A folder that completions are kept in, "" for none.
        replay: A folder that completions come from instead of a provider, "" for none.
    """

    names: dict[ModelRole, tuple[str, ...]]
    api_base: str = ""
    record: str = ""
    replay: str = ""


class Task(Record):
    """One repository with one symptom, and how to work on it. Paths are absolute.

    `junit_reports` are patterns of the files in which the test command reports. `command` is what the user
    typed, for the receipt; it decides nothing. A task of kind "verify" has a patch, which is kept with its
    run.
    """

    kind: Literal["fix", "verify"] = "fix"
    allow_test_edits: bool = False
    repo: str
    symptom: Symptom = Symptom()
    only: tuple[str, ...] = ()
    test_command: str = ""
    junit_reports: tuple[str, ...] = ()
    python: str = ""
    commit: str = ""
    sandbox: Literal["auto", "bubblewrap", "landlock", "none"] = "auto"
    test_timeout_s: float | None = Field(default=None, gt=0)
    strategy: Strategy = "mcts"
    seed: int = 0
    budget: Budget = Budget()
    models: Models | None = None
    command: tuple[str, ...] = ()


class Outcome(StrEnum):
    """How a run ended."""

    REPAIRED = "repaired"
    ABSTAINED = "abstained"
    NOTHING_PLAUSIBLE = "nothing plausible"
    BUDGET_SPENT = "budget spent before any candidate"
    NOT_REPRODUCED = "cannot reproduce"
    ACCEPTED = "accepted"
    NEEDS_REVIEW = "needs review"
    REFUSED = "refused"
    FAILED = "failed"


class Run(Record):
    """One attempt at a task. `outcome` is None while it runs or after it was interrupted."""

    id: RunId
    task: Task
    created_at: datetime
    graph_version: int
    treemend_version: str
    outcome: Outcome | None = None
    reason: str = ""


class Place(Record):
    """A statement of the repository: `path` relative to its root, lines from 1."""

    path: str
    line: int
    end_line: int
    function: str = ""


class Edit(Record):
    """Replace characters `start` to `end` (offsets into the decoded file) by `text`."""

    path: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text: str


class Thought(Record):
    """A node of the thought tree: one or two sentences, and no code of its own.

    `seq` is the node's number in the tree (the root is 0 and has no row). `prior` is normalized over
    all siblings that the policy has in mind. `key` is the policy's own name for the thought. `seen` is the
    number of candidates that there were when it was thought.
    """

    seq: int
    parent: int
    depth: int
    text: str
    prior: float
    key: str
    place: Place | None = None
    has_edit: bool = False
    expandable: bool = False
    seen: int = 0


class Candidate(Record):
    """A thought realized as a patch of the untouched tree. `seq` counts from 1.

    `prior` is the product of the priors on its path. `duplicate_of` is the candidate with the same
    normalized syntax tree whose verdict this one inherits (UNTOUCHED: it changes nothing). `rethought` is
    the sentence that took the thought's place after a first candidate of it had failed, "" for a first one;
    `rationale` says why this mends the cause, where the policy said so.
    """

    seq: int
    thought: int
    edits: tuple[Edit, ...]
    patch: bytes
    prior: float
    duplicate_of: int | None = None
    rethought: str = ""
    rationale: str = ""


class TestOrigin(StrEnum):
    """Who wrote a test; only user and suite tests are trusted."""

    __test__ = False  # not a test class of pytest's

    USER = "user"
    SUITE = "suite"
    REPRODUCER = "reproducer"
    GENERATED = "generated"


class TestRole(StrEnum):
    """What a test stands for in this run."""

    __test__ = False  # not a test class of pytest's

    TARGET = "target"
    REGRESSION = "regression"
    FLAKY = "flaky"
    FAILED_BEFORE = "failed before"
    EVIDENCE = "evidence"


class TestCase(Record):
    """A test by its id (for pytest: its node id)."""

    __test__ = False  # not a test class of pytest's

    id: str
    origin: TestOrigin
    role: TestRole


class TestOutcome(StrEnum):
    """What one run of one test gave."""

    __test__ = False  # not a test class of pytest's

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    TIMEOUT = "timeout"
    NOT_RUN = "not run"


class Execution(Record):
    """One run of one test on one candidate: a cell of the passing matrix.

    `candidate` is UNTOUCHED for the tree as it came; `attempt` tells repeats apart.
    """

    candidate: int
    attempt: int
    test: str
    outcome: TestOutcome
    duration_s: float
    message: str = ""


class Verdict(Record):
    """What the tests say of a candidate; `reward` is in [0, 1] (DESIGN section 4).

    Reproducers are tests that a model wrote of the issue; they count where there is no target test.
    """

    candidate: int
    targets_passed: int
    targets: int
    regressions: tuple[str, ...]
    not_run: int
    plausible: bool
    reward: float
    reproducers_passed: int = 0
    reproducers: int = 0


class CheckResult(StrEnum):
    """What one check of a patch came to."""

    HELD = "held"
    FAILED = "failed"
    NOT_COVERED = "not covered"


class Check(Record):
    """One check of a patch, by name; `detail` says what was seen, or why it could not look."""

    name: str
    result: CheckResult
    detail: str = ""


class Concern(Record):
    """Something in a patch for a person to look at; `line` counts in the patched file, 0 is all of it."""

    kind: str
    path: str
    line: int
    detail: str


class CallChange(Record):
    """A call whose behaviour a patch changes: both told as source text, with what they raise or return.

    `by_tests` are the tests that made the call; none where it was made up from one of theirs.
    """

    call: str
    before: str
    after: str
    by_tests: tuple[str, ...] = ()


class Judgement(Record):
    """What the judge says of one patch beyond its test results, and what it looked at.

    `refused` and `review` are the reasons for either, none where there is none. `changed_calls` are calls of
    tests that passed before, or made up, which behave otherwise now: evidence, never a veto.
    """

    refused: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    concerns: tuple[Concern, ...] = ()
    changed_calls: tuple[CallChange, ...] = ()


class Comparison(Record):
    """What a test compared, both sides as text; `operator` is that of the source or an assertion's name."""

    operator: str
    left: str
    right: str


class RaisedException(Record):
    """An exception and the innermost line of the repository that raised it ("" and 0 where there is none).

    `relation` says how the one before it in the chain came from it: "cause", "context", "" for the first.
    """

    relation: str
    kind: str
    message: str
    path: str
    line: int


class ExecutedBlock(Record):
    """A basic block that ran, lines `first` to `last`, and the local variables at its end, as text."""

    path: str
    function: str
    first: int
    last: int
    locals: dict[str, str]


class FailureExplanation(Record):
    """How a test failed: what it compared, what was raised, and which blocks of the repository's code ran,
    the first and the last of them in the order in which they ended; `left_out` is how many ran in between."""

    test: str
    comparison: Comparison | None
    exceptions: tuple[RaisedException, ...]
    first_blocks: tuple[ExecutedBlock, ...]
    last_blocks: tuple[ExecutedBlock, ...]
    left_out: int


class Rollout(Record):
    """One round of the search: the leaf it evaluated, and the reward handed up the tree."""

    iteration: int
    thought: int
    candidate: int
    reward: float


class RankedCandidate(Record):
    """A plausible candidate's place in the ranking; `group` numbers the consensus set it is in."""

    rank: int
    candidate: int
    group: int
    group_size: int
    score: float
    prior: float
    medoid_distance: float
    confirmed: bool | None = None


class Spend(Record):
    """What one step cost. Steps of a resumed run add up, so limits hold across resumes."""

    step: str
    purpose: str
    wall_s: float
    tests_run: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


class CallStatus(StrEnum):
    """How far a call to a model came. LOST: nobody knows whether the provider charges for it."""

    SENT = "sent"
    COMPLETED = "completed"
    FAILED = "failed"
    LOST = "lost"


class ModelCall(Record):
    """One try of one call to a model.

    `identity` is a digest of all that decides the answer, so that a resumed run finds it; tries of one call
    differ in `attempt`. `usd` is what it cost, or what was set aside for it while that isn't known; None
    where the model's price is unknown.
    """

    seq: int
    identity: str
    attempt: int
    role: ModelRole
    step: str
    sample: int
    model: str
    prompt: str
    status: CallStatus
    usd: float | None
    tokens: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    answer: str = ""
    problem: str = ""
