"""A model provider without a model: an HTTP server on loopback that answers from a script.

It speaks OpenAI's chat completions, so that a test meets the real client over a real socket::

    with ScriptedProvider([Rule(contains=("observations",), answer="The bound is one short.")]) as provider:
        repair(repo, issue=text, models=["openai/scripted"], api_base=provider.base_url)
        assert len(provider.requests) == 1

From a shell: ``python -m treemend.agents.scripted_provider script.json``.
"""

from treemend.agents.scripted_provider.faults import FAULTS
from treemend.agents.scripted_provider.script import Request, Rule, ToolUse, load_script
from treemend.agents.scripted_provider.server import ScriptedProvider

__all__ = ["FAULTS", "Request", "Rule", "ScriptedProvider", "ToolUse", "load_script"]
