"""From a symptom to ranked functions, files and lines, with reasons: no model, no network, nothing is run."""

from __future__ import annotations
