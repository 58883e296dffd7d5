"""The search loop's memory and moves: the tree in this process, its rows in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from treemend.agents.ahead import Ahead
from treemend.agents.evaluation import Evaluator, inherited
from treemend.agents.feedback import Feedback, is_progress
from treemend.agents.policy import Parent, Policy, Sibling
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

T = TypeVar("T")

WIDTH = 3
"""Thoughts opened at a time (RethinkMCTS, EMNLP 2025: k = 3)."""

EXHAUSTED = "nothing left to try"


class Exploration:
    """The thought tree of a run, rebuilt from its rows when the run is resumed.

    Every move finds out by the store's counts whether it was made before, so a step that runs again
    changes nothing.
    """

    def __init__(
        self,
        context: RunContext,
        policy: Policy,
        evaluator: Evaluator,
        symptom: Feedback,
        budget: Budget,
        ahead: Ahead | None = None,
    ) -> None:
        self._context = context
        self._ahead = ahead
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
        self._feedback: dict[int, Feedback] = {}
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
        for verdict in store.verdicts(run_id):
            self._count(verdict)
        known = store.thoughts(run_id)
        self._thoughts.update((thought.seq, thought) for thought in known)
        for candidate in self._candidates.values():
            self._learn(candidate, self._evaluator.recorded_feedback(candidate))
        rollouts = {rollout.thought: rollout for rollout in store.rollouts(run_id)}
        for batch in _batches(known):
            parent = batch[0].parent
            if parent in rollouts:
                self._hand_up(rollouts.pop(parent))
            opened = len(self._tree.nodes[parent].children)
            asked = self._parent(parent, batch[0].seen)
            proposal = await self._policy.propose(asked, opened, WIDTH)
            self._open(parent, batch, proposal.reserve_prior)
        for rollout in rollouts.values():
            self._hand_up(rollout)
        self._executed_before, self._began_s = self._executed, self._context.elapsed_s()

    def _hand_up(self, rollout: Rollout) -> None:
        """Tell a reward to the tree; a thought that made progress may be added to."""
        self._rollouts += 1
        self._tree = backpropagate(self._tree, rollout.thought, rollout.reward)
        if rollout.candidate in self._progress and not self._thoughts[rollout.thought].expandable:
            self._tree = reopen(self._tree, rollout.thought)

    def select(self, state: GraphState) -> GraphState:
        """Choose the next move, or say why the search ends."""
        counts = GraphState(
            iteration=state.get("iteration", 0) + 1,
            thoughts=len(self._thoughts),
            candidates=len(self._candidates),
        )
        if state.get("ended"):
            return {**counts, "action": "stop"}
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
        seen = len(self._candidates)
        proposal = await self._beside(self._policy.propose(self._parent(parent, seen), opened, WIDTH))
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
                expandable=idea.expandable or not idea.has_edit,
                seen=seen,
            )
            for seq, idea in enumerate(proposal.ideas, start=len(self._tree.nodes))
        ]
        self._context.store.add_thoughts(self._context.id, thoughts)
        self._open(parent, thoughts, proposal.reserve_prior)

    async def realize(self, state: GraphState) -> None:
        """Turn the selected thought into a candidate."""
        if len(self._candidates) > state["candidates"]:
            return
        await self._make_candidate(self._thoughts[state["thought"]])

    async def _beside(self, work: Awaitable[T]) -> T:
        """What the policy comes to; while it thinks, tests of likely changes run."""
        return await (work if self._ahead is None else self._ahead.beside(work))

    async def _make_candidate(self, thought: Thought, rethought: str = "") -> Candidate:
        texts = self._texts(thought.seq, len(self._candidates))
        if rethought:
            texts = (*texts[:-1], rethought)
        realized = await self._beside(self._policy.realize(thought.key, texts))
        patched = self._evaluator.patched(realized.edits)
        duplicate_of = self._digests.get(patched.digest)
        if patched.digest == self._evaluator.untouched_digest(realized.edits):
            duplicate_of = UNTOUCHED
        candidate = Candidate(
            seq=len(self._candidates) + 1,
            thought=thought.seq,
            edits=realized.edits,
            patch=patched.patch,
            prior=self._path_prior(thought),
            duplicate_of=duplicate_of,
            rethought=rethought,
            rationale=realized.rationale,
        )
        self._context.store.add_candidate(self._context.id, candidate)
        self._remember(candidate, patched.digest)
        return candidate

    async def evaluate(self, state: GraphState) -> None:
        """Judge the round's first candidate."""
        await self._judge(self._candidates[state["candidates"] + 1])

    async def rethink(self, state: GraphState) -> None:
        """Give a thought whose candidate failed its one second chance, where the policy has other words."""
        first = self._candidates[state["candidates"] + 1]
        second = self._candidates.get(first.seq + 1)
        if second is None:
            feedback = self._feedback.get(first.seq)
            if feedback is None or not feedback.failures:
                return
            thought = self._thoughts[first.thought]
            texts = self._texts(thought.seq, first.seq)
            explain = partial(self._evaluator.explain, first)
            rethought = await self._policy.rethink(thought.key, texts, first.patch, feedback, explain)
            if not rethought:
                return
            second = await self._make_candidate(thought, rethought)
        await self._judge(second)

    async def _judge(self, candidate: Candidate) -> None:
        """Run a candidate's tests; a duplicate inherits its verdict and runs nothing."""
        if candidate.seq in self._verdicts:
            return
        if candidate.duplicate_of is None:
            path = self._path_of(candidate)
            self._context.listener(CandidateStarted(candidate.seq, path, self._context.tests_run))
            places = [thought.place for thought in path if thought.place]
            verdict, feedback = await self._evaluator.evaluate(candidate, places, self._before(candidate))
        else:
            feedback = None
            verdict = inherited(candidate, self._verdicts, self._evaluator.nothing_passes)
            spend = Spend(step=f"candidate-{candidate.seq}", purpose="duplicate", wall_s=0.0)
            self._context.store.record_evaluation(self._context.id, verdict, [], spend)
        self._count(verdict)
        self._learn(candidate, feedback)

    def _learn(self, candidate: Candidate, feedback: Feedback | None) -> None:
        """Keep what a candidate showed; what is progress on its parent may be added to."""
        verdict = self._verdicts.get(candidate.seq)
        if feedback is None or verdict is None:
            return
        self._feedback[candidate.seq] = feedback
        failed = not (verdict.plausible or verdict.regressions)
        if failed and is_progress(self._before(candidate), feedback):
            self._progress[candidate.seq] = feedback

    def backpropagate(self, state: GraphState) -> None:
        """Hand the better of the round's rewards up the tree and tell the listener."""
        tried = [c for seq, c in self._candidates.items() if seq > state["candidates"]]
        candidate = max(tried, key=lambda c: (self._verdicts[c.seq].reward, -c.seq))
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
        for one in tried:
            self._context.listener(self._tried(one, self._verdicts[one.seq]))

    def plausible(self) -> list[Candidate]:
        """The candidates to rank, one of each syntax tree, in the order in which they were found."""
        return [
            self._candidates[verdict.candidate]
            for verdict in self._verdicts.values()
            if verdict.plausible and self._candidates[verdict.candidate].duplicate_of is None
        ]

    def leading(self) -> Candidate | None:
        """The plausible candidate with the greatest reward, of equal ones the likelier."""
        found = self.plausible()
        return max(found, key=lambda c: (self._verdicts[c.seq].reward, c.prior, -c.seq), default=None)

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
            path=self._path_of(candidate),
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

    def _path_of(self, candidate: Candidate) -> tuple[Thought, ...]:
        """The thoughts behind a candidate, the last one as it was rethought."""
        *above, last = self._path(candidate.thought)
        text = candidate.rethought or last.text
        return (*above, last.model_copy(update={"text": text}))

    def _path_prior(self, thought: Thought) -> float:
        prior = 1.0
        for step in self._path(thought.seq):
            prior *= step.prior
        return prior

    def _parent(self, thought: int, seen: int) -> Parent:
        """A thought as the policy is asked about it when there were `seen` candidates; of what was gained
        elsewhere, candidates later than its own change nothing."""
        siblings = self._tried_below(thought, seen)
        if not thought:
            return Parent(siblings=siblings)
        candidate = self._candidate_of.get(thought, 0)
        earlier = {seq: feedback for seq, feedback in self._progress.items() if seq < candidate}
        return Parent(
            key=self._thoughts[thought].key,
            feedback=self._feedback.get(candidate),
            gains={self._key_of(seq): feedback.passed for seq, feedback in earlier.items()},
            texts=self._texts(thought, seen),
            siblings=siblings,
        )

    def _tried_below(self, thought: int, seen: int) -> tuple[Sibling, ...]:
        tried = []
        for child in self._tree.nodes[thought].children:
            candidate = self._candidate_of.get(child, 0)
            if 0 < candidate <= seen:
                text = self._texts(child, seen)[-1]
                place = self._thoughts[child].place
                tried.append(Sibling(text, place, self._feedback.get(candidate)))
        return tuple(tried)

    def _texts(self, thought: int, seen: int) -> tuple[str, ...]:
        """The thoughts that lead to one, itself last, as they read when there were `seen` candidates."""
        rethought = {
            c.thought: c.rethought for c in self._candidates.values() if c.seq <= seen and c.rethought
        }
        numbers = [] if not thought else path(self._tree, thought)[1:]
        return tuple(rethought.get(seq, self._thoughts[seq].text) for seq in numbers)

    def _key_of(self, candidate: int) -> str:
        return self._thoughts[self._candidates[candidate].thought].key

    def _before(self, candidate: Candidate) -> Feedback:
        """What was known of the thought that a candidate's thought adds to."""
        above = self._thoughts[candidate.thought].parent
        known = self._progress.get(self._candidate_of.get(above, 0))
        return self._symptom if known is None else known

    def _open(self, parent: int, thoughts: list[Thought], reserve_prior: float) -> None:
        opened = [OpenThought(prior=t.prior, has_edit=t.has_edit, expandable=t.expandable) for t in thoughts]
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
