"""The ways in of the command line, and what they print."""
