"""The repository tools: typed questions about the code, with typed answers (RRR, RepoClassBench).

`registry.TOOLS` lists them; the command line and the model policy ask through it.
"""
