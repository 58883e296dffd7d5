"""The search loop's memory and moves: the tree in this process, its rows in the store."""

from __future__ import annotations

from treemend.agents.evaluation import Evaluator, inherited
from treemend.agents.policy import Policy
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
)
from treemend.store.records import (
    UNTOUCHED,
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

    def __init__(self, context: RunContext, policy: Policy, evaluator: Evaluator) -> None:
        self._context = context
        self._policy = policy
        self._evaluator = evaluator
        self._tree: Tree = new_tree()
        self._thoughts: dict[int, Thought] = {}
        self._candidates: dict[int, Candidate] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._digests: dict[str, int] = {}
        self._rollouts = 0
        self._executed = 0
        self._executed_before = 0
        self._began_s = 0.0
        self._executed_at_first_plausible: int | None = None

    async def restore(self) -> None:
        """Replay the recorded thoughts and rollouts into an empty tree."""
        store, run_id = self._context.store, self._context.id
        batch: list[Thought] = []
        for thought in store.thoughts(run_id):
            if batch and (thought.parent != batch[0].parent or len(batch) == WIDTH):
                await self._replay(batch)
                batch = []
            batch.append(thought)
        if batch:
            await self._replay(batch)
        for candidate in store.candidates(run_id):
            self._remember(candidate)
        for verdict in store.verdicts(run_id):
            self._count(verdict)
        for rollout in store.rollouts(run_id):
            self._tree = backpropagate(self._tree, rollout.thought, rollout.reward)
            self._rollouts += 1
        self._executed_before, self._began_s = self._executed, self._context.elapsed_s()

    async def _replay(self, batch: list[Thought]) -> None:
        parent = batch[0].parent
        opened = len(self._tree.nodes[parent].children)
        proposal = await self._policy.propose(self._key(parent), opened, WIDTH)
        self._open(parent, batch, proposal.reserve_prior)

    def select(self, state: GraphState) -> GraphState:
        """Choose the next move, or say why the search ends."""
        counts = GraphState(
            iteration=state.get("iteration", 0) + 1,
            thoughts=len(self._thoughts),
            candidates=len(self._candidates),
        )
        limit = spent(
            self._context.task.budget,
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
        proposal = await self._policy.propose(self._key(parent), opened, WIDTH)
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
        self._remember(candidate)

    async def evaluate(self, state: GraphState) -> None:
        """Judge the newest candidate; a duplicate inherits its verdict and runs nothing."""
        candidate = self._candidates[state["candidates"] + 1]
        if candidate.seq in self._verdicts:
            return
        if candidate.duplicate_of is None:
            place = self._thoughts[candidate.thought].place
            path, tests_run = self._path(candidate.thought), self._context.tests_run
            self._context.listener(CandidateStarted(candidate.seq, path, tests_run))
            verdict = await self._evaluator.evaluate(candidate, place)
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
            self._rollouts += 1
            rollout = Rollout(
                iteration=self._rollouts,
                thought=candidate.thought,
                candidate=candidate.seq,
                reward=verdict.reward,
            )
            self._context.store.add_rollout(self._context.id, rollout)
            self._tree = backpropagate(self._tree, candidate.thought, verdict.reward)
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

    def _key(self, thought: int) -> str:
        return self._thoughts[thought].key if thought else ""

    def _open(self, parent: int, thoughts: list[Thought], reserve_prior: float) -> None:
        opened = [
            OpenThought(prior=t.prior, has_edit=t.has_edit, expandable=not t.has_edit) for t in thoughts
        ]
        self._tree = expand(self._tree, parent, opened, reserve_prior)
        self._thoughts.update((thought.seq, thought) for thought in thoughts)

    def _remember(self, candidate: Candidate) -> None:
        self._candidates[candidate.seq] = candidate
        if candidate.duplicate_of is None:
            digest = self._evaluator.patched(candidate.edits).digest
            self._digests.setdefault(digest, candidate.seq)
