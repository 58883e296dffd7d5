"""Takes defences out of the sandboxes of every Python that finds this folder on its path.

`benchmarks/ablation.py` names them in TREEMEND_ABLATION, a JSON list of lists: what kind, then what of it. No
part of treemend reads that variable; without this module on the path nothing can be taken out.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import types
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

REMOVALS: list[list[str]] = json.loads(os.environ.get("TREEMEND_ABLATION", "[]"))


def module(name: str) -> Any:
    """A module of the sandboxes, of which anything may be replaced."""
    return import_module(f"treemend.verify.{name}")


def remove_option(count: str, *words: str) -> None:
    """The first words of an option of bwrap, given with its values; * stands for any value."""
    bubblewrap = module("bubblewrap")

    whole = bubblewrap._nul_separated

    def without(options: list[str]) -> Any:
        kept = list(options)
        for start in range(len(kept) - len(words), -1, -1):
            if all(wanted in ("*", word) for wanted, word in zip(words, kept[start:], strict=False)):
                del kept[start : start + int(count)]
        return whole(kept)

    bubblewrap._nul_separated = without


def remove_user(*_: str) -> None:
    """The change of user id under bubblewrap."""
    handover = module("handover")

    whole = handover._exact
    handover._exact = lambda command, drop, report_fd: whole(command, None, report_fd)


def remove_word(*words: str) -> None:
    """Words of setpriv."""
    user_drop = module("handover").UserDrop
    whole = user_drop.argv

    def without(self: Any, capabilities: str, bounding: Sequence[str] = ()) -> list[str]:
        given: list[str] = whole(self, capabilities, bounding)
        return given if capabilities != "-all" else [word for word in given if word not in words]

    user_drop.argv = without


def remove_rule(*calls: str) -> None:
    """What the filter says of some system calls."""
    from dataclasses import replace

    seccomp = module("seccomp")

    whole = seccomp.compile_filter

    def without(rules: Sequence[Any], machine: str = "") -> Any:
        kept = [replace(rule, calls=[call for call in rule.calls if call not in calls]) for rule in rules]
        return whole(kept, machine)

    seccomp.compile_filter = without


def remove_architecture(*_: str) -> None:
    """The filter's checks of how a system call was entered."""
    seccomp = module("seccomp")

    whole = seccomp.compile_filter
    # Load the architecture, compare, kill; load the number; compare, kill (x32): the rest follows.
    seccomp.compile_filter = lambda rules, machine="": (
        whole(rules, machine)[3 * 8 : 4 * 8] + (whole(rules, machine)[6 * 8 :])
    )


def remove_limit(name: str) -> None:
    """A resource limit: it becomes what the caller has."""
    import resource

    handover = module("handover")
    landlock = module("landlock")

    kind = getattr(resource, name)
    for user in (handover, landlock):
        whole: Any = user.resource_limits

        def without(*given: Any, whole: Any = whole, **named: Any) -> list[tuple[int, int]]:
            hard = resource.getrlimit(kind)[1]
            free = 1 << 40 if hard == resource.RLIM_INFINITY else hard
            return [(k, free if k == kind else value) for k, value in whole(*given, **named)]

        user.resource_limits = without


def remove_session(*_: str) -> None:
    """The new session, and with it the loss of the terminal."""
    processes = module("processes")

    def start(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(*given, **{**named, "start_new_session": False, "process_group": 0})

    names = {name: getattr(subprocess, name) for name in ("PIPE", "DEVNULL")}
    processes.subprocess = types.SimpleNamespace(Popen=start, **names)


def remove_clean_environment(*_: str) -> None:
    """The empty environment in which a mechanism starts."""
    processes = module("processes")

    def start(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(*given, **{**named, "env": None})

    names = {name: getattr(subprocess, name) for name in ("PIPE", "DEVNULL")}
    processes.subprocess = types.SimpleNamespace(Popen=start, **names)


def remove_right(bit: str) -> None:
    """One of Landlock's rights of files: the kernel then doesn't ask for it."""
    landlock = module("landlock")

    whole = landlock.ruleset

    def allows(path: bytes, rights: int) -> bool:
        """Whether anything is left for the kernel to grant: of a file, its reading or running."""
        return rights & (~0 if os.path.isdir(path) else ~(1 << 3)) != 0

    def without(*given: Any) -> Any:
        rules = whole(*given)
        files, network, scopes = rules["handled"]
        kept = files & ~(1 << int(bit))
        paths = [(path, rights & kept) for path, rights in rules["path_rights"]]
        rules.update(handled=(kept, network, scopes), path_rights=[p for p in paths if allows(*p)])
        return rules

    landlock.ruleset = without


def remove_field(name: str, bit: str = "0") -> None:
    """Landlock's rules of the network (1), or one of its scopes (2)."""
    landlock = module("landlock")

    whole = landlock.ruleset

    def without(*given: Any) -> Any:
        rules = whole(*given)
        handled = list(rules["handled"])
        handled[int(name)] &= 0 if name == "1" else ~(1 << int(bit))
        rules["handled"] = tuple(handled)
        return rules

    landlock.ruleset = without


def remove_path(path: str) -> None:
    """A path that Landlock lets everybody read."""
    landlock = module("landlock")

    landlock._READABLE = tuple(p for p in landlock._READABLE if p != path)
    landlock._WRITABLE = tuple(p for p in landlock._WRITABLE if p != path)


def remove_group(*_: str) -> None:
    """The control group."""
    landlock = module("landlock")

    landlock.parent_group = lambda: None


def remove_line(*lines: str) -> None:
    """Statements of Landlock's launcher, which runs from a copy without them."""
    confine = module("confine")

    source = Path(confine.__file__).read_text()
    for line in lines:
        assert line in source, f"the launcher has no {line!r}"
        source = source.replace(line, "pass", 1)
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False, prefix="ablated-") as copy:
        copy.write(source)
    confine.__file__ = copy.name


def remove_watch(name: str) -> None:
    """A look from outside: at memory or at disk."""
    bubblewrap = module("bubblewrap")
    landlock = module("landlock")
    memory = module("memory")

    if name == "memory":
        memory.MemoryWatch.is_over = lambda self, pid: False
    else:
        bubblewrap.mounts_over = NeverOver
        landlock.folder_over = lambda folder, limits: lambda pid: False


class NeverOver:
    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Callable[[int], bool]:
        return lambda pid: False

    def __exit__(self, *_: object) -> None:
        pass


for _kind, *_what in REMOVALS:
    globals()[f"remove_{_kind}"](*_what)
