"""The scripted provider as any HTTP client sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from treemend.agents.scripted_provider import Rule, ScriptedProvider, ToolUse, load_script
from treemend.store.errors import UsageError


def ask(base_url: str, text: str, **more: Any) -> bytes:
    body = {"model": "scripted", "messages": [{"role": "user", "content": text}], **more}
    request = urllib.request.Request(
        f"{base_url}/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer canary"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def choices(answer: bytes) -> list[dict[str, Any]]:
    return list(json.loads(answer)["choices"])


def texts(answer: bytes) -> list[str]:
    return [choice["message"]["content"] for choice in choices(answer)]


def test_the_first_rule_that_fits_answers_as_often_as_it_may() -> None:
    rules = [
        Rule(contains=("bound",), answer="once", times=1),
        Rule(contains=("bound",), without=("loop",), answers=("first", "second")),
        Rule(answer={"else": True}),
    ]
    with ScriptedProvider(rules) as provider:
        said = [texts(ask(provider.base_url, text)) for text in ("bound", "bound", "bound", "bound loop")]
    assert said == [["once"], ["first"], ["second"], ['{"else": true}']]
    assert [request.number for request in provider.requests] == [1, 2, 3, 4]
    assert all(request.has_key for request in provider.requests)
    assert "canary" not in str(provider.requests)


def test_it_answers_in_samples_with_tools_and_with_usage() -> None:
    rules = [
        Rule(needs_tools=True, tool_calls=(ToolUse(name="look", arguments={"name": "x"}),)),
        Rule(samples=("one", "two")),
    ]
    with ScriptedProvider(rules) as provider:
        sampled = ask(provider.base_url, "q", n=3)
        tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
        (called,) = choices(ask(provider.base_url, "q", tools=[tool]))
    assert texts(sampled) == ["one", "two", "two"]
    assert json.loads(sampled)["usage"]["completion_tokens"] > 0
    assert called["finish_reason"] == "tool_calls"
    assert json.loads(called["message"]["tool_calls"][0]["function"]["arguments"]) == {"name": "x"}


def test_it_streams_what_it_answers_whole() -> None:
    with ScriptedProvider([Rule(answer="a sentence of more than one chunk, and its end")]) as provider:
        told = ask(provider.base_url, "q", stream=True, stream_options={"include_usage": True})
    events = [line.removeprefix("data: ") for line in told.decode().split("\n\n") if line]
    assert events.pop() == "[DONE]"
    loaded = [json.loads(event) for event in events]
    said = "".join(c["delta"].get("content", "") for event in loaded for c in event["choices"])
    assert said == "a sentence of more than one chunk, and its end"
    assert loaded[-1]["usage"]["total_tokens"] > 0


def test_a_request_without_a_rule_is_told_so() -> None:
    with ScriptedProvider([Rule(contains=("x",))]) as provider, pytest.raises(urllib.error.HTTPError) as told:
        ask(provider.base_url, "what nobody foresaw")
    assert told.value.code == 400
    assert "what nobody foresaw" in told.value.read().decode()


def test_an_unknown_fault_is_an_error_at_once() -> None:
    with pytest.raises(UsageError, match="no fault 'hiccup'"):
        ScriptedProvider([Rule(fault="hiccup")])


@pytest.mark.parametrize("text", ["{", '[{"contains": 5}]', '{"no rules": []}', '[{"unknown": 1}]'])
def test_what_is_no_script_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "script.json").write_text(text)
    with pytest.raises(UsageError, match="is no script"):
        load_script(tmp_path / "script.json")


@pytest.mark.slow
def test_it_is_started_from_a_shell(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('[{"contains": ["q"], "answer": "from a file"}]')
    command = [sys.executable, "-m", "treemend.agents.scripted_provider", str(tmp_path / "script.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert texts(ask(process.stdout.readline().strip(), "q")) == ["from a file"]
        finally:
            process.terminate()
