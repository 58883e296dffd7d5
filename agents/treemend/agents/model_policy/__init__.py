"""The policy that thinks with a language model: PlanSearch, RethinkMCTS, repository tools, own tests."""
