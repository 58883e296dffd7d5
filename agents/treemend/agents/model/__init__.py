"""Calls to language models: the client, what it costs, and what it understands of an answer.

litellm is imported with the first call and never before.
"""
