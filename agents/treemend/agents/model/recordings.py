"""Completions kept in a folder, and answered from it with no network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from treemend.agents.model.calls import Call, Completion
from treemend.agents.model.prices import Abilities, AbilitiesOf
from treemend.agents.model.provider import Send, answer_text, parse_answer
from treemend.agents.model.secrets import hide_keys
from treemend.store.errors import ModelError, UsageError

ABILITIES = "models.json"


class Recorder:
    """Passes calls on and keeps each with its answer, in a file named by the digest of what was asked."""

    def __init__(self, folder: Path, send: Send, abilities: AbilitiesOf) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {folder} can't be made: {error.strerror}.",
                mend="Give --record a folder that can be written to.",
            ) from error
        self._folder = folder
        self._send = send
        self._abilities = abilities

    async def __call__(self, call: Call) -> Completion:
        completion = await self._send(call)
        asked = json.loads(hide_keys(json.dumps(call.model_dump())))
        kept = {"asked": asked, "answered": json.loads(answer_text(completion))}
        _write(self._folder / f"{call.content_digest}.json", kept)
        self._keep_abilities(call.model)
        return completion

    def _keep_abilities(self, model: str) -> None:
        # What a model is taken to be able to do shapes the prompts that it gets.
        known = _read_abilities(self._folder)
        if model not in known:
            known[model] = self._abilities(model)
            _write(self._folder / ABILITIES, {name: one.model_dump() for name, one in known.items()})


class Replayer:
    """Answers from a folder that `Recorder` filled; a call that isn't there ends the run."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(
                f"There is no folder {folder}.", mend="Give --replay a folder that --record filled."
            )
        self._folder = folder
        self._known = _read_abilities(folder)

    def abilities(self, model: str) -> Abilities:
        """As they were when it was recorded; nothing is paid for."""
        return self._known.get(model, Abilities()).model_copy(update={"is_replayed": True})

    async def __call__(self, call: Call) -> Completion:
        path = self._folder / f"{call.content_digest}.json"
        try:
            return parse_answer(json.dumps(json.loads(path.read_text(encoding="utf-8"))["answered"]))
        except FileNotFoundError as error:
            raise ModelError(
                f"{self._folder} has no answer of {call.model} to the prompt of step {call.step}: "
                "the prompt, the repository or the options have changed since it was recorded.",
                mend="Record it anew with --record.",
            ) from error
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{path} is no recording: {error}.", mend="Record it anew.") from error


def _read_abilities(folder: Path) -> dict[str, Abilities]:
    try:
        loaded = json.loads((folder / ABILITIES).read_text(encoding="utf-8"))
        return {str(name): Abilities.model_validate(one) for name, one in loaded.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(path: Path, value: object) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(value, indent=1), encoding="utf-8")
    draft.replace(path)
