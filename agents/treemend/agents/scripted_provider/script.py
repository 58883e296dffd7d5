"""Scripts: rules that say which request gets which answer, or which fault."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from treemend.store.errors import UsageError


@dataclass(frozen=True, slots=True)
class Request:
    """A chat completion that was asked for.

    `number` counts from 1. `has_key` says whether an Authorization header came; it is not kept itself.
    """

    number: int
    path: str
    body: dict[str, Any]
    has_key: bool

    @property
    def text(self) -> str:
        """All messages, one below the other."""
        return "\n".join(_text_of(message) for message in self.body.get("messages", []))

    @property
    def last(self) -> str:
        """The last message."""
        messages = self.body.get("messages", [])
        return _text_of(messages[-1]) if messages else ""

    @property
    def tool_names(self) -> tuple[str, ...]:
        return tuple(tool["function"]["name"] for tool in self.body.get("tools") or ())

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ToolUse(_Strict):
    """A tool call; `arguments` as a text is sent as it stands, so that it can be wrong."""

    name: str
    arguments: dict[str, Any] | str = Field(default_factory=dict)

    @property
    def wire(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


Answer = str | dict[str, Any] | list[Any]


class Rule(_Strict):
    """One rule. The first that fits a request and is not used up answers it.

    Attributes:
        contains: Texts that must all occur in the messages.
        last: A text that must occur in the last message.
        without: Texts of which none may occur in the messages.
        model: The model asked for, "" for any.
        needs_tools: Whether the request must offer tools, None for either.
        answer: The answer's text; what is no text is sent as JSON.
        answers: Several, one for each use in turn, the last again and again.
        samples: What the n samples of one request say, in order; the last again and again.
        tool_calls: Tool calls in the answer.
        times: How often the rule may be used, None for ever.
        delay_s: Seconds before it is answered.
        usage: What is reported as `usage` instead of what was counted.
        fault: The name of a fault in FAULTS, in the answer's place or done to it.
        options: What that fault needs to know.
        respond: From Python only: makes the answer from the request.
    """

    contains: tuple[str, ...] = ()
    last: str = ""
    without: tuple[str, ...] = ()
    model: str = ""
    needs_tools: bool | None = None
    answer: Answer = ""
    answers: tuple[Answer, ...] = ()
    samples: tuple[Answer, ...] = ()
    tool_calls: tuple[ToolUse, ...] = ()
    times: int | None = Field(default=None, ge=1)
    delay_s: float = Field(default=0.0, ge=0.0)
    usage: dict[str, Any] | None = None
    fault: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    respond: Callable[[Request], Answer] | None = None

    def fits(self, request: Request) -> bool:
        text = request.text
        return (
            all(part in text for part in self.contains)
            and self.last in request.last
            and not any(part in text for part in self.without)
            and self.model in ("", request.body.get("model"))
            and self.needs_tools in (None, bool(request.tool_names))
        )

    def texts(self, request: Request, use: int) -> list[str]:
        """The text of each sample; `use` counts from 0."""
        count = max(1, int(request.body.get("n") or 1))
        if self.samples:
            chosen = [self.samples[min(i, len(self.samples) - 1)] for i in range(count)]
        elif self.answers:
            chosen = [self.answers[min(use, len(self.answers) - 1)]] * count
        else:
            chosen = [self.answer if self.respond is None else self.respond(request)] * count
        return [one if isinstance(one, str) else json.dumps(one) for one in chosen]


@dataclass
class Script:
    """Rules with what was used of them."""

    rules: Sequence[Rule]
    _uses: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, request: Request) -> tuple[Rule, int] | None:
        """The rule that answers, and how often it did before; None where none fits."""
        with self._lock:
            for number, rule in enumerate(self.rules):
                used = self._uses.get(number, 0)
                if (rule.times is None or used < rule.times) and rule.fits(request):
                    self._uses[number] = used + 1
                    return rule, used
        return None


_RULES = TypeAdapter(tuple[Rule, ...])


def load_script(path: Path) -> tuple[Rule, ...]:
    """The rules in a JSON file: a list, or an object whose "rules" is one.

    Raises:
        UsageError: there is no such file, or what it holds are no rules.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        return _RULES.validate_python(loaded["rules"] if isinstance(loaded, dict) else loaded)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.", mend="Give a script's path.") from error
    except (ValueError, KeyError, ValidationError) as error:
        first = str(error).splitlines()
        raise UsageError(
            f"{path} is no script: {' '.join(first[:3])}", mend="docs/models.md says what a script holds."
        ) from error
