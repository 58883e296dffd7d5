"""The forms in which a model answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

TEXT_CHARS_MAX = 2000
CODE_CHARS_MAX = 20_000

Short = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]


class Observed(BaseModel):
    """Something about the code that may matter."""

    text: Short
    plausibility: float = 0.5


class Observations(BaseModel):
    """A handful of them."""

    observations: list[Observed]


class OneThought(BaseModel):
    """What is wrong and what to change, and where."""

    thought: Short
    path: Short = ""
    function: Short = ""
    reasonableness: float = 0.0


class TwoIdeas(BaseModel):
    """An idea, an input on which it would fail, and another idea."""

    first: OneThought
    counter_example: str = ""
    second: OneThought | None = None


class NextThoughts(BaseModel):
    """Thoughts that go together with those above."""

    thoughts: list[OneThought]


class Rethought(BaseModel):
    """A thought that takes another's place."""

    thought: Short


class Graded(BaseModel):
    """What speaks against a patch, and how likely it is right all the same, from -1 to 1."""

    against: str = ""
    grade: float


class WrittenTest(BaseModel):
    """A test as a whole file."""

    behaviour: Short
    fails_with: Short = ""
    code: Annotated[str, Field(max_length=CODE_CHARS_MAX)]


class WrittenTests(BaseModel):
    """Tests, and whether the code is right already."""

    tests: list[WrittenTest]
    already_right: bool = False
