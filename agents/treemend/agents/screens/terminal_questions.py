"""A person's answers, a line each on standard input."""

from __future__ import annotations

import asyncio
import sys

from treemend.agents.plain_text import counted, one_line, plain
from treemend.agents.run_context import Question

ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


async def ask_on_terminal(question: Question) -> bool | None:
    """Show a test and wait for a line; anything but yes or no is no answer, and so is the end of input."""
    of = f"{question.passing} of {counted(question.passing + question.failing, 'candidate')}"
    print(f"\nIs this right? {one_line(question.behaviour)} ({of} pass it)\n", file=sys.stderr)
    for line in plain(question.code).splitlines():
        print(f"    {line}", file=sys.stderr)
    print("\n[y]es, [n]o, or Enter where you don't know: ", end="", file=sys.stderr, flush=True)
    said = await asyncio.to_thread(sys.stdin.readline)
    return ANSWERS.get(said.strip().lower())
