"""The search loop's memory and moves: the tree in this process, its rows in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treemend.agents.evaluation import Evaluator, inherited
from treemend.agents.feedback import Feedback
from treemend.agents.policy import Parent, Policy
from treemend.agents.progress import CandidateStarted, CandidateTried
from treemend.agents.run_context import RunContext
from treemend.agents.state import GraphState
from treemend.search.budget import spent
from treemend.search.selection import Evaluate, Expand
from treemend.search.strategies import STRATEGIES
from treemend.search.tree import (
    OpenThought,
    Tree,
    backpropagate,
    expand,
    new_tree,
    path,
    reopen,
)
from treemend.store.records import (
    UNTOUCHED,
    Budget,
    Candidate,
    Rollout,
    Spend,
    Thought,
    Verdict,
)

WIDTH = 3
"""Thoughts opened at a time (RethinkMCTS, EMNLP 2025: k = 3)."""

EXHAUSTED = "nothing left to try"


class Exploration:
    """The thought tree of a run, rebuilt from its rows when the run is resumed.

    Every move finds out by the store's counts whether it was made before, so a step that runs again
    changes nothing.
    """

    def __init__(
        self, context: RunContext, policy: Policy, evaluator: Evaluator, symptom: Feedback, budget: Budget
    ) -> None:
        self._context = context
        self._policy = policy
        self._evaluator = evaluator
        self._symptom = symptom
        self._budget = budget
        self._tree: Tree = new_tree()
        self._thoughts: dict[int, Thought] = {}
        self._candidates: dict[int, Candidate] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._digests: dict[str, int] = {}
        self._candidate_of: dict[int, int] = {}
        self._progress: dict[int, Feedback] = {}
        self._rollouts = 0
        self._executed = 0
        self._executed_before = 0
        self._began_s = 0.0
        self._executed_at_first_plausible: int | None = None

    async def restore(self) -> None:
        """Replay the recorded thoughts and rollouts into an empty tree."""
        store, run_id = self._context.store, self._context.id
        for candidate in store.candidates(run_id):
            self._remember(candidate, self._evaluator.patched(candidate.edits).digest)
            feedback = self._evaluator.recorded_feedback(candidate)
            if feedback is not None:
                self._progress[candidate.seq] = feedback
        for verdict in store.verdicts(run_id):
            self._count(verdict)
        rollouts = {rollout.thought: rollout for rollout in store.rollouts(run_id)}
        for batch in _batches(store.thoughts(run_id)):
            parent = batch[0].parent
            if parent in rollouts:
                self._hand_up(rollouts.pop(parent))
            opened = len(self._tree.nodes[parent].children)
            proposal = await self._policy.propose(self._parent(parent), opened, WIDTH)
            self._open(parent, batch, proposal.reserve_prior)
        for rollout in rollouts.values():
            self._hand_up(rollout)
        self._executed_before, self._began_s = self._executed, self._context.elapsed_s()

    def _hand_up(self, rollout: Rollout) -> None:
        """Tell a reward to the tree; a thought that made progress may be added to."""
        self._rollouts += 1
        self._tree = backpropagate(self._tree, rollout.thought, rollout.reward)
        if rollout.candidate in self._progress:
            self._tree = reopen(self._tree, rollout.thought)

    def select(self, state: GraphState) -> GraphState:
        """Choose the next move, or say why the search ends."""
        counts = GraphState(
            iteration=state.get("iteration", 0) + 1,
            thoughts=len(self._thoughts),
            candidates=len(self._candidates),
        )
        limit = spent(
            self._budget,
            candidates=self._executed,
            since_first_plausible=self._since_first_plausible(),
            wall_s=self._context.elapsed_s(),
        )
        if limit is not None:
            return {**counts, "action": "stop", "ended": limit}
        step = STRATEGIES[self._context.task.strategy](self._tree)
        if isinstance(step, Expand):
            return {**counts, "action": "expand", "thought": step.node}
        if isinstance(step, Evaluate):
            return {**counts, "action": "evaluate", "thought": step.node}
        return {**counts, "action": "stop", "ended": EXHAUSTED}

    async def expand(self, state: GraphState) -> None:
        """Open the next thoughts below the selected one."""
        if len(self._thoughts) > state["thoughts"]:
            return
        parent = state["thought"]
        opened = len(self._tree.nodes[parent].children)
        proposal = await self._policy.propose(self._parent(parent), opened, WIDTH)
        thoughts = [
            Thought(
                seq=seq,
                parent=parent,
                depth=self._tree.nodes[parent].depth + 1,
                text=idea.text,
                prior=idea.prior,
                key=idea.key,
                place=idea.place,
                has_edit=idea.has_edit,
            )
            for seq, idea in enumerate(proposal.ideas, start=len(self._tree.nodes))
        ]
        self._context.store.add_thoughts(self._context.id, thoughts)
        self._open(parent, thoughts, proposal.reserve_prior)

    async def realize(self, state: GraphState) -> None:
        """Turn the selected thought into a candidate."""
        if len(self._candidates) > state["candidates"]:
            return
        thought = self._thoughts[state["thought"]]
        edits = tuple(await self._policy.realize(thought.key))
        patched = self._evaluator.patched(edits)
        duplicate_of = self._digests.get(patched.digest)
        if patched.digest == self._evaluator.untouched_digest(edits):
            duplicate_of = UNTOUCHED
        candidate = Candidate(
            seq=len(self._candidates) + 1,
            thought=thought.seq,
            edits=edits,
            patch=patched.patch,
            prior=self._path_prior(thought),
            duplicate_of=duplicate_of,
        )
        self._context.store.add_candidate(self._context.id, candidate)
        self._remember(candidate, patched.digest)

    async def evaluate(self, state: GraphState) -> None:
        """Judge the newest candidate; a duplicate inherits its verdict and runs nothing."""
        candidate = self._candidates[state["candidates"] + 1]
        if candidate.seq in self._verdicts:
            return
        if candidate.duplicate_of is None:
            path = self._path(candidate.thought)
            self._context.listener(CandidateStarted(candidate.seq, path, self._context.tests_run))
            places = [thought.place for thought in path if thought.place]
            verdict, feedback = await self._evaluator.evaluate(candidate, places, self._before(candidate))
            if feedback is not None:
                self._progress[candidate.seq] = feedback
        else:
            verdict = inherited(candidate, self._verdicts, len(self._evaluator.targets))
            spend = Spend(step=f"candidate-{candidate.seq}", purpose="duplicate", wall_s=0.0)
            self._context.store.record_evaluation(self._context.id, verdict, [], spend)
        self._count(verdict)

    def backpropagate(self, state: GraphState) -> None:
        """Hand the reward up the tree and tell the listener."""
        candidate = self._candidates[state["candidates"] + 1]
        verdict = self._verdicts[candidate.seq]
        if not self._tree.nodes[candidate.thought].evaluated:
            rollout = Rollout(
                iteration=self._rollouts + 1,
                thought=candidate.thought,
                candidate=candidate.seq,
                reward=verdict.reward,
            )
            self._context.store.add_rollout(self._context.id, rollout)
            self._hand_up(rollout)
        self._context.listener(self._tried(candidate, verdict))

    def plausible(self) -> list[Candidate]:
        """The candidates to rank, one of each syntax tree, in the order in which they were found."""
        return [
            self._candidates[verdict.candidate]
            for verdict in self._verdicts.values()
            if verdict.plausible and self._candidates[verdict.candidate].duplicate_of is None
        ]

    @property
    def executed(self) -> int:
        """Candidates whose tests were run; duplicates cost nothing and don't count."""
        return self._executed

    def _count(self, verdict: Verdict) -> None:
        self._verdicts[verdict.candidate] = verdict
        if self._candidates[verdict.candidate].duplicate_of is not None:
            return
        self._executed += 1
        if verdict.plausible and self._executed_at_first_plausible is None:
            self._executed_at_first_plausible = self._executed

    def _since_first_plausible(self) -> int | None:
        first = self._executed_at_first_plausible
        return None if first is None else self._executed - first

    def _tried(self, candidate: Candidate, verdict: Verdict) -> CandidateTried:
        return CandidateTried(
            path=self._path(candidate.thought),
            verdict=verdict,
            executed=self._executed,
            thoughts=len(self._thoughts),
            tests_run=self._context.tests_run,
            inherited=candidate.duplicate_of is not None,
            elapsed_s=self._context.elapsed_s(),
            rate=self._rate(),
        )

    def _rate(self) -> float:
        seconds = self._context.elapsed_s() - self._began_s
        return (self._executed - self._executed_before) / seconds if seconds > 0.0 else 0.0

    def _path(self, thought: int) -> tuple[Thought, ...]:
        return tuple(self._thoughts[seq] for seq in path(self._tree, thought)[1:])

    def _path_prior(self, thought: Thought) -> float:
        prior = 1.0
        for step in self._path(thought.seq):
            prior *= step.prior
        return prior

    def _parent(self, thought: int) -> Parent:
        """A thought as the policy is asked about it: later candidates than its own change nothing."""
        if not thought:
            return Parent()
        candidate = self._candidate_of.get(thought, 0)
        earlier = {seq: feedback for seq, feedback in self._progress.items() if seq < candidate}
        return Parent(
            key=self._thoughts[thought].key,
            feedback=self._progress.get(candidate),
            gains={self._key_of(seq): feedback.passed for seq, feedback in earlier.items()},
        )

    def _key_of(self, candidate: int) -> str:
        return self._thoughts[self._candidates[candidate].thought].key

    def _before(self, candidate: Candidate) -> Feedback:
        """What was known of the thought that a candidate's thought adds to."""
        above = self._tree.nodes[candidate.thought].parent
        known = self._progress.get(self._candidate_of.get(above or 0, 0))
        return self._symptom if known is None else known

    def _open(self, parent: int, thoughts: list[Thought], reserve_prior: float) -> None:
        opened = [
            OpenThought(prior=t.prior, has_edit=t.has_edit, expandable=not t.has_edit) for t in thoughts
        ]
        self._tree = expand(self._tree, parent, opened, reserve_prior)
        self._thoughts.update((thought.seq, thought) for thought in thoughts)

    def _remember(self, candidate: Candidate, digest: str) -> None:
        self._candidates[candidate.seq] = candidate
        self._candidate_of[candidate.thought] = candidate.seq
        if candidate.duplicate_of is None:
            self._digests.setdefault(digest, candidate.seq)


def _batches(thoughts: Sequence[Thought]) -> Iterator[list[Thought]]:
    """Thoughts as they were opened: together, below one parent, `WIDTH` at most."""
    batch: list[Thought] = []
    for thought in thoughts:
        if batch and (thought.parent != batch[0].parent or len(batch) == WIDTH):
            yield batch
            batch = []
        batch.append(thought)
    if batch:
        yield batch
