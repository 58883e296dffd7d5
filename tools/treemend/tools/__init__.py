"""What the repository says: its syntax, its traces, edits to it, and private copies of it."""
