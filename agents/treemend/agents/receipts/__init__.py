"""The evidence of a run, as data and as text."""
