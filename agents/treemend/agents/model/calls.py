"""What is asked of a model and what it answers, free of any provider's form."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from treemend.store.records import ModelRole, Record


class Message(Record):
    """One turn of a conversation. The first `stable` characters are those of other calls of the run, too."""

    role: Literal["system", "user", "assistant"]
    content: str
    stable: int = 0


class ToolSpec(Record):
    """A tool that a model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(Record):
    """A tool call as it was answered: `arguments` is text that may be anything."""

    name: str
    arguments: str


class Call(Record):
    """One request: `samples` answers to the same messages.

    Attributes:
        step: What it is for, unique within a run, such as "idea/2".
        sample: Tells requests of one step apart.
        prompt: Name and digest of the prompt's text, for the ledger.
        answer_schema: JSON schema of the answer, None for free text. `schema_name` names it.
    """

    role: ModelRole
    step: str
    model: str
    messages: tuple[Message, ...]
    prompt: str = ""
    sample: int = 0
    samples: int = Field(default=1, ge=1)
    max_tokens: int = Field(default=4096, ge=1)
    temperature: float = 0.0
    schema_name: str = ""
    answer_schema: dict[str, Any] | None = None
    tools: tuple[ToolSpec, ...] = ()

    @cached_property
    def content_digest(self) -> str:
        """A digest of all that decides the answer, whatever run asks."""
        told = self.model_dump(exclude={"step", "prompt", "role"})
        return _digest(told)

    def identity(self, run: str) -> str:
        """The digest that names the call in the ledger of a run."""
        return _digest({"run": run, "step": self.step, "content": self.content_digest})


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Completion(Record):
    """What came back.

    Attributes:
        texts: One for each sample.
        finish: Why the model stopped: "stop", "length", "tool_calls", "content_filter".
        cached_tokens: Those of the prompt that the provider had in its cache.
        refusal: What the model said where it refused, "" where it didn't.
        counted: Whether the provider told believable token counts.
    """

    texts: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    refusal: str = ""
    counted: bool = True

    @property
    def text(self) -> str:
        return self.texts[0] if self.texts else ""
