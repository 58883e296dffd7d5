"""Events in words, for every kind of screen."""

from __future__ import annotations

from treemend.agents.plain_text import counted, one_line
from treemend.agents.progress import CandidateStarted, CandidateTried
from treemend.store.records import Budget, Verdict

BROKEN_SHOWN_MAX = 5


def outcome_words(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if verdict.plausible:
        return "plausible"
    share = share_words(verdict)
    if verdict.regressions:
        return f"{share}, breaks {one_line(verdict.regressions[0])}"
    return share


def share_words(verdict: Verdict) -> str:
    """How many pass of the tests that count: target tests, or where there are none what a model wrote."""
    if verdict.reproducers and not verdict.targets:
        return f"{verdict.reproducers_passed} of {verdict.reproducers} reproducers pass"
    return f"{verdict.targets_passed} of {verdict.targets} target tests pass"


def short_outcome(event: CandidateTried) -> str:
    """A verdict in a word or two, for a row among others."""
    verdict = event.verdict
    if verdict.plausible:
        return "plausible"
    broken = f", breaks {len(verdict.regressions)}" if verdict.regressions else ""
    repeated = ", seen before" if event.inherited else ""
    passed = verdict.targets_passed or verdict.reproducers_passed
    return f"{passed} of {verdict.targets or verdict.reproducers}{broken}{repeated}"


def broken_words(verdict: Verdict) -> list[str]:
    """The tests that a candidate breaks, a line each; of many the first."""
    shown = [f"breaks {one_line(test)}" for test in verdict.regressions[:BROKEN_SHOWN_MAX]]
    more = len(verdict.regressions) - len(shown)
    return [*shown, f"and {counted(more, 'other')}"] if more else shown


def thought(event: CandidateStarted | CandidateTried) -> str:
    """The thoughts that led to a candidate, from the first to the last."""
    return one_line(" ".join(step.text for step in event.path))


def cause(event: CandidateStarted | CandidateTried) -> str:
    """The thoughts above the last one, "" where there is none."""
    return one_line(" ".join(step.text for step in event.path[:-1]))


def change(event: CandidateStarted | CandidateTried) -> str:
    """The last thought alone, which says what was changed."""
    return one_line(event.path[-1].text)


def counts_words(event: CandidateTried) -> str:
    """How far the search is."""
    return " · ".join(
        (
            counted(event.thoughts, "thought"),
            counted(event.executed, "candidate"),
            f"{event.rate:.1f} candidates/s",
            counted(event.tests_run, "test"),
        )
    )


def left_words(
    budget: Budget, elapsed_s: float, executed: int | None = None, first_plausible: int | None = None
) -> str:
    """The time that a run took so far, and what is left of its limits.

    `executed` are the candidates of the run so far, None where that isn't known yet; `first_plausible`
    are those that had been executed when the first plausible one was found.
    """
    words = [f"{elapsed_s:.0f} s"]
    if budget.time_s is not None:
        left_s = budget.time_s - elapsed_s
        words.append(f"{left_s:.0f} s left" if left_s > 0 else "its time is up")
    if budget.candidates is not None and executed is not None:
        words.append(f"{counted(max(0, budget.candidates - executed), 'candidate')} left")
    if first_plausible is not None and executed is not None:
        more = max(0, first_plausible + budget.after - executed)
        words.append(f"{more} more to find a better one")
    return " · ".join(words)


def seconds(duration_s: float) -> str:
    return f"{duration_s:.1f} s" if duration_s < 100 else f"{duration_s:.0f} s"
