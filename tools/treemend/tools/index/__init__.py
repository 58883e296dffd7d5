"""What a repository contains: definitions, imports and references in eleven languages, kept in SQLite.

`repository.RepositoryIndex` is the way in; everything that parses runs in worker processes.
"""
