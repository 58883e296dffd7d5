"""Prompts: what is stable first, what came from outside marked as data, and what to leave out when it is
too long."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal

from treemend.agents.model.calls import Message
from treemend.agents.plain_text import plain

HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
TAG_CHARACTERS = re.compile("[\U000e0000-\U000e007f\ufeff\u00ad]")
NEVER_LEFT_OUT = 100
CUT = "\n[the rest is left out]\n"


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt as it ships: `version` is a digest of its text, for the ledger."""

    name: str
    text: str

    @property
    def version(self) -> str:
        return f"{self.name}@{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"

    def fill(self, **values: object) -> str:
        """The text with each `{name}` replaced, once, so that what comes in is never looked at."""
        pattern = re.compile("|".join(re.escape(f"{{{name}}}") for name in values) or "(?!)")
        return pattern.sub(lambda match: str(values[match[0][1:-1]]), self.text).strip()


@cache
def load_template(package: str, name: str) -> Template:
    """The prompt `name`.md in the folder `prompts` of a package."""
    return Template(name, (files(package) / "prompts" / f"{name}.md").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of what a model gets to read, which came from outside.

    `worth` orders what is left out first when it is too long; NEVER_LEFT_OUT stays whole.
    """

    title: str
    text: str
    worth: int = 50


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that is said to a model.

    Attributes:
        stable: Sections that most calls of a run share, in one order.
        more: Those of this call.
        task: What is wanted; it comes last.
        turns: What was said since.
    """

    template: Template
    system: str
    stable: tuple[Section, ...]
    more: tuple[Section, ...]
    task: str
    turns: tuple[Message, ...] = ()

    def said(self, role: Literal["user", "assistant"], content: str) -> Prompt:
        """The prompt with one more turn."""
        return replace(self, turns=(*self.turns, Message(role=role, content=content)))

    def messages(self, chars_max: int | None = None) -> tuple[Message, ...]:
        """The conversation; the sections that may be left out have `chars_max` characters at most together:
        the least worth is cut first, down to nothing."""
        sections = _shrunk([*self.stable, *self.more], chars_max)
        token = self._token()
        told = [_rendered(section, token) for section in sections]
        stable = "".join(told[: len(self.stable)])
        user = stable + "".join(told[len(self.stable) :]) + self.task
        return (
            Message(role="system", content=self.system.replace("{token}", token)),
            Message(role="user", content=user, stable=len(stable)),
            *self.turns,
        )

    def framed(self, title: str, text: str) -> str:
        """A text that came from outside, marked as such, for a later turn."""
        return _rendered(Section(title, text), self._token()).rstrip()

    def size(self) -> int:
        """Characters of the sections that may be left out."""
        return _size([*self.stable, *self.more])

    def _token(self) -> str:
        """What marks data: nobody can write an issue that contains its own digest."""
        kept = "".join(section.text for section in self.stable if section.worth == NEVER_LEFT_OUT)
        return hashlib.sha256(kept.encode("utf-8", "replace")).hexdigest()[:8]


def _rendered(section: Section, token: str) -> str:
    if not section.text:
        return ""
    # Who writes the issue and the repository can put the digest into a file.
    text = section.text.rstrip().replace(f"data-{token}", "data-")
    return f"<data-{token} {section.title}>\n{text}\n</data-{token}>\n\n"


def _shrunk(sections: list[Section], chars_max: int | None) -> list[Section]:
    if chars_max is None:
        return sections
    over = _size(sections) - chars_max
    order = sorted(range(len(sections)), key=lambda i: (sections[i].worth, -i))
    shrunk = list(sections)
    for index in order:
        section = sections[index]
        if over <= 0 or section.worth >= NEVER_LEFT_OUT:
            break
        left = max(0, len(section.text) - over - len(CUT))
        text = section.text[:left] + CUT if left else ""
        over -= len(section.text) - len(text)
        shrunk[index] = replace(section, text=text)
    return shrunk


def _size(sections: list[Section]) -> int:
    return sum(len(section.text) for section in sections if section.worth < NEVER_LEFT_OUT)


def clean_prose(text: str) -> str:
    """A text that people write, without what they can't see in it: control characters, marks of direction,
    invisible characters, HTML comments."""
    return TAG_CHARACTERS.sub("", plain(HTML_COMMENT.sub("", text)))
