"""A receipt for people to read, in Markdown. Everything that came from outside stands quoted in it."""

from __future__ import annotations

import re

from treemend.agents.plain_text import counted, one_line
from treemend.agents.receipts.receipt import Alternative, Receipt, TestChange
from treemend.store.records import CallChange, Outcome

LISTED_MAX = 20
BACKTICKS = re.compile(r"`+")
CODE_SPAN = re.compile(r"(`[^`]+`)")
ACTIVE = re.compile(r"(@|#|\bGH-|://|\bwww\.)(?=\w)", re.IGNORECASE)
"""What GitHub makes mentions, references and links of."""
MARKUP = re.compile(r"[\\`<>\[\]!|*]")
UNSEEN = "\u200b"


def render_markdown(receipt: Receipt) -> str:
    """The whole receipt; ends with a newline."""
    sections = [
        f"# treemend: {receipt.outcome.value}",
        _answer(receipt),
        _judgement(receipt),
        _tests(receipt),
        _ranking(receipt),
        _thoughts(receipt),
        _circumstances(receipt),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _answer(receipt: Receipt) -> str:
    if receipt.kind == "verify":
        said = f"{_prose(receipt.reason)}." if receipt.reason else "Nothing speaks against the patch."
        return f"{said}\n\n{_fenced(receipt.patch, 'diff')}" if receipt.patch else said
    if receipt.outcome is Outcome.NEEDS_REVIEW:
        head = f"Somebody should look at this patch: {_prose(receipt.reason)}."
        return f"{head}\n\n{_prose(receipt.thought)}\n\n{_fenced(receipt.patch, 'diff')}"
    if receipt.outcome is not Outcome.REPAIRED:
        return f"No patch: {_prose(receipt.reason)}."
    why = f"{_quoted(receipt.rationale)}\n\n" if receipt.rationale != receipt.thought else ""
    return f"{_prose(receipt.thought)}\n\n{why}{_fenced(receipt.patch, 'diff')}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {_prose(line)}" for line in text.splitlines())


def _prose(text: str) -> str:
    """A sentence from outside, on one line, in which nothing but code spans is more than text: it mentions
    nobody, refers to no issue, and holds no link, image or HTML."""
    parts = CODE_SPAN.split(one_line(text))
    return "".join(
        part if number % 2 else ACTIVE.sub(rf"\1{UNSEEN}", MARKUP.sub(r"\\\g<0>", part))
        for number, part in enumerate(parts)
    )


def _judgement(receipt: Receipt) -> str:
    judgement = receipt.judgement
    if judgement is None:
        return ""
    lines = ["## What was checked", "", "| check | result | |", "|---|---|---|"]
    lines += [f"| {c.name} | {c.result.value} | {_code(c.detail)} |" for c in judgement.checks]
    if judgement.changed_calls:
        lines += [
            "",
            "Calls that do something else with the patch, of tests that passed before or made up:",
            "",
        ]
        lines += ["| call | before | after | by |", "|---|---|---|---|"]
        lines += [_changed_call(change) for change in judgement.changed_calls[:LISTED_MAX]]
    return "\n".join(lines)


def _changed_call(change: CallChange) -> str:
    by = _code(change.by_tests[0]) if change.by_tests else "made up"
    return f"| {_code(change.call)} | {_code(change.before)} | {_code(change.after)} | {by} |"


def _tests(receipt: Receipt) -> str:
    lines = ["## Tests"]
    if receipt.targets:
        lines += ["", "| target test | before | after |", "|---|---|---|"]
        lines += [_row(change) for change in receipt.targets[:LISTED_MAX]]
        lines += _more(len(receipt.targets))
    if receipt.reproducers:
        lines += ["", "| test that a model wrote | before | after |", "|---|---|---|"]
        lines += [_row(change) for change in receipt.reproducers[:LISTED_MAX]]
        lines += _more(len(receipt.reproducers))
    for test, right in receipt.answers.items():
        lines += ["", f"A person says that {_code(test)} is {'right' if right else 'wrong'}."]
    if receipt.outcome in (Outcome.REPAIRED, Outcome.ACCEPTED, Outcome.NEEDS_REVIEW):
        total, passed = receipt.regression_tests, receipt.regression_passed
        lines += [
            "",
            f"{passed} of {total} tests that passed before pass with the patch, run cold.",
        ]
    for change in receipt.set_aside[:LISTED_MAX]:
        lines += ["", f"Set aside ({change.role.value}): {_code(change.test)}"]
    lines += _more(len(receipt.set_aside))
    return "\n".join(lines) if len(lines) > 1 else ""


def _row(change: TestChange) -> str:
    return f"| {_code(change.test)} | {change.before} | {change.after} |"


def _more(count: int) -> list[str]:
    return ["", f"and {count - LISTED_MAX} more"] if count > LISTED_MAX else []


def _ranking(receipt: Receipt) -> str:
    if not receipt.ranking or receipt.kind == "verify":
        return ""
    groups = len({entry.group for entry in receipt.ranking})
    plausible = counted(len(receipt.ranking), "plausible candidate")
    apart = receipt.counts.diversity
    told = "" if apart is None else f" {apart:.0%} of their pairs behave differently."
    lines = ["## Ranking", "", f"{plausible} in {counted(groups, 'group')}.{told} {receipt.ranking_note}"]
    for alternative in receipt.alternatives:
        lines += ["", _alternative(alternative)]
    return "\n".join(lines)


def _alternative(alternative: Alternative) -> str:
    refused = ", refused by the verdict of record" if alternative.refused else ""
    head = f"<details><summary>Rank {alternative.rank}{refused}</summary>"
    against = f"Refused: {_prose('; '.join(alternative.refused))}.\n\n" if alternative.refused else ""
    body = f"{_prose(alternative.thought)}\n\n{against}{_fenced(alternative.patch, 'diff')}"
    return f"{head}\n\n{body}\n\n</details>"


def _thoughts(receipt: Receipt) -> str:
    if not receipt.thoughts:
        return ""
    lines = ["## Thoughts that were tried", ""]
    for tried in receipt.thoughts:
        indent = "  " * (tried.depth - 1)
        numbers = ", ".join(f"#{number}" for number in tried.candidates)
        outcome = f" ({numbers}: {tried.outcome})" if numbers else ""
        lines.append(f"{indent}- {_code(tried.text)}{outcome}")
        if tried.rethought:
            lines.append(f"{indent}  - rethought: {_code(tried.rethought)}")
    return "\n".join(lines)


def _models(receipt: Receipt) -> list[str]:
    return [
        f"- {use.role}: {', '.join(use.models)}, {counted(use.calls, 'call')}, {use.tokens:,} tokens "
        f"({use.cached_share:.0%} of the prompts cached), "
        + ("cost unknown" if use.usd is None else f"${use.usd:.4f}")
        for use in receipt.models
    ]


def _circumstances(receipt: Receipt) -> str:
    lines = [
        "## How it was judged" if receipt.kind == "verify" else "## How it was found",
        "",
        _work(receipt),
        f"- sandbox: {receipt.sandbox.name}",
        *[f"  - not covered: {sentence}" for sentence in receipt.sandbox.not_covered],
        f"- {receipt.shared_process}",
        *_models(receipt),
        *[f"- {_prose(note)}" for note in receipt.notes],
        f"- tree {receipt.tree_digest[:16]}, run {receipt.run}, treemend {receipt.treemend}",
        "",
        "Repeat it with",
        "",
        _fenced(receipt.command, "sh"),
    ]
    return "\n".join(lines)


def _work(receipt: Receipt) -> str:
    counts = receipt.counts
    spent = f"{counts.tests_run} tests run, {counts.seconds:g} s"
    if receipt.kind == "verify":
        return f"- {spent}"
    return (
        f"- {counts.candidates_executed} candidates executed ({counts.duplicates} duplicates inherited "
        f"their verdict), {counts.plausible} plausible, {spent}, "
        f"strategy {receipt.strategy}, seed {receipt.seed}"
    )


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _code(text: str) -> str:
    longest = max((len(run) for run in BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence}{text}{fence}".replace("|", "\\|").replace("\n", " ")
