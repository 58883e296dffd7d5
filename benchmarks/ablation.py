"""Does each defence of the sandboxes earn its place? Takes out one at a time and runs the cases again.

    python benchmarks/ablation.py [--only WORD] [--mechanism bubblewrap|landlock]

Prints which cases flip (that is, fail) without each option of bwrap, each right of Landlock and each
rule of the system call filter. What only backs up another defence is taken out together with that one:
its row names the pair, and lists what flips beyond what the other one's removal flips by itself. The exit
code is 1 where a removal flips nothing. Run it as root, on Linux with both mechanisms.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABLATED = Path(__file__).parent / "ablated"
CASES = "tests/verify/test_sandbox_*.py"
HANG_S = 60.0
FEATURES = "home_and_temp or test_streams or copy_is_the_working or look_up or E16"


@dataclass(frozen=True)
class Defence:
    """What is taken out, in which cases that should show, and what it backs up."""

    name: str
    removals: Sequence[Sequence[str]]
    cases: str
    behind: Sequence[Sequence[str]] = ()


USER = ("user",)
FIRST_PROCESS = (("option", "2", "--tmpfs", "/proc/1"), ("option", "2", "--remount-ro", "/proc/1"))
USER_AND_CAPABILITIES = (USER, ("option", "2", "--cap-drop", "ALL"))


def option(words: str, cases: str, behind: Sequence[Sequence[str]] = (), count: int = 0) -> Defence:
    split = words.split(" ")
    name = " ".join([*split[:count], f"({' '.join(split[count:])})"]) if count else words
    return Defence(name, (("option", str(count or len(split)), *split),), cases, behind)


BUBBLEWRAP = (
    option("--unshare-pid", "E04_command_lines or E04_environment_of_other"),
    option("--unshare-net", "E09 or E10 or E12 or E15"),
    option("--unshare-ipc", "E54"),
    Defence(
        "--unshare-uts --hostname sandbox",
        (("option", "1", "--unshare-uts"), ("option", "2", "--hostname", "sandbox")),
        "E15_names",
    ),
    option("--hostname sandbox", "E15_names"),
    option("--unshare-cgroup-try", "E15_names"),
    option("--die-with-parent", "E38"),
    option("--cap-drop ALL", "E14 or E45 or E51 or E40 or E20", (USER,)),
    *(
        option(f"--cap-add {name}", FEATURES + " or only_their_owner")
        for name in ("CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_READ_SEARCH")
    ),
    option("--cap-add CAP_SETPCAP", "E52"),
    option("--ro-bind /usr /usr", FEATURES),
    *(option(f"--symlink usr/{name} /{name}", FEATURES) for name in ("bin", "lib", "lib64")),
    option("--symlink usr/sbin /sbin", "look_up"),
    option("--dir /etc", FEATURES),
    *(
        option(f"--ro-bind-try /etc/{name} /etc/{name}", "look_up")
        for name in ("alternatives", "ld.so.cache", "mime.types", "nsswitch.conf", "protocols", "services")
    ),
    option("--proc /proc", FEATURES),
    option("--ro-bind /proc/sys /proc/sys", "E40", (USER,)),
    Defence("--tmpfs /proc/1 --remount-ro /proc/1", FIRST_PROCESS, "E05"),
    option("--remount-ro /proc/1", "E20_only", (USER,)),
    option("--dev /dev", FEATURES),
    option("--perms 1777 --size * --tmpfs /dev/shm", FEATURES, count=2),
    option("--size * --tmpfs /dev/shm", "E32", count=2),
    option("--perms 1777 --size * --tmpfs /dev/shm", FEATURES),
    option("--remount-ro /dev", "E20_only", (USER,)),
    option("--perms 1777 --size * --tmpfs /tmp", FEATURES, count=2),
    option("--size * --tmpfs /tmp", "E32", count=2),
    option("--perms 1777 --size * --tmpfs /tmp", FEATURES),
    option("--dir /run/treemend", FEATURES),
    option("--perms 0700 --dir /run/treemend/source", "E11", count=2),
    option("--size * --tmpfs /run/treemend/home", "E32", count=2),
    option("--size * --tmpfs /run/treemend/home", FEATURES),
    option("--file * /etc/passwd", "look_up"),
    option("--file * /etc/group", "look_up"),
    option("--file * /etc/hosts", FEATURES),
    option("--ro-bind * /run/treemend/source/tree", FEATURES),
    option("--ro-bind * /run/treemend/source/overlay", "test_overlay"),
    option("--size * --tmpfs /home/some\u00a0body/répo", "E31", count=2),
    option("--tmpfs /home/some\u00a0body/répo", FEATURES),
    option("--remount-ro /", "E20_only", (USER,)),
    option("--chdir *", FEATURES),
    option("--seccomp *", "E13 or E44 or E47 or E49 or E50 or E52"),
    Defence("change of user id", (USER,), "E40 or E52 or E11"),
    Defence(
        "setpriv --inh-caps --ambient-caps", (("word", "--inh-caps=-all", "--ambient-caps=-all"),), "E52"
    ),
    Defence("setpriv --bounding-set", (("word", "--bounding-set=-all"),), "E52"),
    Defence("new session", (("session",),), "E39", (("rule", "ioctl"),)),
    Defence("empty environment of bwrap", (("clean_environment",),), "E05", (*FIRST_PROCESS, USER)),
)
BOTH = (
    Defence("filter: architecture and x32", (("architecture",),), "E50"),
    Defence("look at memory", (("watch", "memory"),), "E29"),
    Defence("look at disk", (("watch", "disk"),), "E33"),
    Defence("limit of cores", (("limit", "RLIMIT_CORE"),), "limits_are"),
    Defence("limit of open files", (("limit", "RLIMIT_NOFILE"),), "limits_are"),
    Defence("limit of CPU time", (("limit", "RLIMIT_CPU"),), "test_cpu_limit"),
    Defence("limit of a file's size", (("limit", "RLIMIT_FSIZE"),), "E30"),
    Defence("limit of memory", (("limit", "RLIMIT_DATA"),), "E28"),
)
RIGHTS = (
    ("EXECUTE", "E01_folders"), ("WRITE_FILE", "E20"), ("READ_FILE", "E01"), ("READ_DIR", "E01_folders"),
    ("REMOVE_DIR", "E20_nothing"), ("REMOVE_FILE", "E20_attributes"), ("MAKE_CHAR", "E45"),
    ("MAKE_DIR", "E20_nothing"), ("MAKE_REG", "E20"), ("MAKE_SOCK", "E20_nothing"),
    ("MAKE_FIFO", "E20_nothing"),
    ("MAKE_BLOCK", "E45"), ("MAKE_SYM", "E20_nothing"), ("REFER", "files_move_between"),
    ("TRUNCATE", "E20_attributes"), ("IOCTL_DEV", "E45_devices"),
)  # fmt: skip
DROP = ("line", '_drop_privileges(orders["uid"])')
DEVICES_BEHIND = (("rule", "mknod", "mknodat"), DROP)
BEHIND_RIGHTS: dict[str, Sequence[Sequence[str]]] = {
    "EXECUTE": (("right", "2"),),
    "MAKE_CHAR": DEVICES_BEHIND,
    "MAKE_BLOCK": DEVICES_BEHIND,
}
SOCKETS = ("rule", "socket", "socketpair", "bind", "connect", "listen")


def line(text: str, cases: str, behind: Sequence[Sequence[str]] = ()) -> Defence:
    return Defence(f"launcher: {text}", (("line", text),), cases, behind)


LANDLOCK = (
    *(
        Defence(f"right {name}", (("right", str(bit)),), cases, BEHIND_RIGHTS.get(name, ()))
        for bit, (name, cases) in enumerate(RIGHTS)
    ),
    Defence("rights of TCP", (("field", "1"),), "E09", (SOCKETS,)),
    Defence("scope of abstract sockets", (("field", "2", "0"),), "E12", (SOCKETS,)),
    Defence("scope of signals", (("field", "2", "1"),), "E56"),
    Defence("control group", (("group",),), "E27_fork_bomb"),
    Defence("limit of processes", (("limit", "RLIMIT_NPROC"),), "E27_fork_bomb", (("group",),)),
    line("_prctl(_PR_SET_CHILD_SUBREAPER, 1)", "E34 or E35", (("group",),)),
    line("_prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)", "E38"),
    line("_prctl(_PR_SET_NO_NEW_PRIVS, 1)", "E52 or test_streams"),
    line('_drop_privileges(orders["uid"])', "E51 or E52"),
    line('_install_filter(orders["seccomp"])', "E13 or E44 or E52"),
    line("_syscall(_SYS_RESTRICT_SELF, ruleset, 0)", "E01 or E20"),
    line('_kill_all(orders["uid"], orders["cgroup"])', "E34 or E35", (("group",),)),
    line("os.setsid()", "own_group", (("group",), ("field", "2", "1"))),
)


def flipped(mechanism: str, removals: Sequence[Sequence[str]], cases: str) -> list[str]:
    """The names of the cases that fail without some defences, a few of them where there are many."""
    chosen = "landlock" if mechanism == "landlock" else "not landlock and not none"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        words = [word for word in re.findall(r"\w+", cases) if word not in ("or", "and", "not")]
        paths = [str(path) for path in sorted(ROOT.glob(CASES)) if any(w in path.read_text() for w in words)]
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--maxfail=4"]
        argv += ["-p", "pytest_asyncio.plugin"]
        argv += [f"--junitxml={report}", *paths, "-k", f"{chosen} and ({cases})"]
        with subprocess.Popen(
            argv,
            cwd=ROOT,
            env=without(removals),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            try:
                told, _ = process.communicate(timeout=HANG_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return ["(a case hangs)"]
        if process.returncode not in (0, 1):
            raise SystemExit(f"{removals}: pytest ended with {process.returncode}\n{told.decode()[-2000:]}")
        return sorted(set(failures(report)))


def without(removals: Sequence[Sequence[str]]) -> dict[str, str]:
    """The environment in which the sandboxes lack some defences."""
    roots = [str(ROOT / name) for name in ("agents", "tools", "search", "verify", "store")]
    return {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(ABLATED), *roots]),
        "TREEMEND_ABLATION": json.dumps([list(removal) for removal in removals]),
    }


def failures(report: Path) -> Iterator[str]:
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            yield case.get("name", "")
        if case.find("skipped") is not None:
            yield "(the sandbox does not start)"


PROBE = """
import asyncio, json, sys
from pathlib import Path
from treemend.verify.sandbox import Command
from treemend.verify.sandboxes import find_sandbox

source = '''
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
found = {}
for name, (number, arguments) in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    result = libc.syscall(number, *map(ctypes.c_long, arguments))
    if name == "clone" and result == 0: os._exit(0)
    found[name] = 0 if result >= 0 else ctypes.get_errno()
print(json.dumps(found))
'''
command = Command(argv=("/usr/bin/python3", "-I", "-S", "-c", source, sys.argv[2]), tree=Path(sys.argv[3]),
                  at=Path("/home/x/repo"))
print(asyncio.run(find_sandbox(sys.argv[1]).run(command)).stdout.decode())
"""
# Arguments for which the rule holds; everywhere else -1, for which no call does any harm.
ARGUMENTS = {
    "clone": [0x10000000 | 17, 0, 0, 0, 0, 0],
    "ioctl": [0, 0x5412, 0, 0, 0, 0],
    "mknod": [0, 0o20666, 259, 0, 0, 0],
    "mknodat": [-100, 0, 0o20666, 259, 0, 0],
    "socket": [16, 3, 0, 0, 0, 0],
    "socketpair": [16, 3, 0, 0, 0, 0],
    "memfd_create": [0, 0, 0, 0, 0, 0],
    "shmget": [0, 1 << 20, 0o600, 0, 0, 0],
    "prlimit64": [999999, 7, 0, 0, 0, 0],
}


def errors_of_calls(mechanism: str, removals: Sequence[Sequence[str]]) -> dict[str, int]:
    """What each call of the filter's table returns in a sandbox: an error number, or 0."""
    from treemend.verify.syscalls import NUMBERS

    numbers = {name: pair[0] for name, pair in NUMBERS.items() if pair[0] is not None}
    calls = {name: (number, ARGUMENTS.get(name, [-1] * 6)) for name, number in numbers.items()}
    with tempfile.TemporaryDirectory() as tree:
        argv = [sys.executable, "-c", PROBE, mechanism, json.dumps(calls), tree]
        ended = subprocess.run(argv, env=without(removals), capture_output=True, check=True)
    found: dict[str, int] = json.loads(ended.stdout)
    return found


def filter_rows(mechanism: str) -> Iterator[tuple[str, str]]:
    """Each call that the filter refuses, and what the kernel says without it, or else with privileges."""
    from treemend.verify.syscalls import NUMBERS

    whole = errors_of_calls(mechanism, ())
    no_filter = ("rule", *NUMBERS)
    unfiltered = errors_of_calls(mechanism, (no_filter,))
    kept = USER_AND_CAPABILITIES if mechanism == "bubblewrap" else (DROP,)
    privileged = errors_of_calls(mechanism, (no_filter, *kept))
    for name, error in whole.items():
        told = f" instead of {os.strerror(error)}"
        if unfiltered[name] != error:
            yield name, os.strerror(unfiltered[name]) + told
        elif privileged[name] != error:
            yield f"{name} + privileges dropped", os.strerror(privileged[name]) + told
        elif rules_hold(mechanism, name):
            yield name, ""


def rules_hold(mechanism: str, call: str) -> bool:
    """Whether this mechanism's filter has a rule for the call at all."""
    from treemend.verify import seccomp

    own = seccomp._OWN_NAMESPACES if mechanism == "bubblewrap" else seccomp._NO_SOCKETS
    rules = [*seccomp._COMMON, *own]
    return any(call in rule.calls for rule in rules)


def rows(mechanism: str, only: str) -> Iterator[tuple[str, Sequence[str]]]:
    defences = (*(BUBBLEWRAP if mechanism == "bubblewrap" else LANDLOCK), *BOTH)
    for defence in defences:
        if only not in defence.name:
            continue
        removals = [[word.replace("\u00a0", " ") for word in removal] for removal in defence.removals]
        if not defence.behind:
            yield defence.name, flipped(mechanism, removals, defence.cases)
            continue
        alone = flipped(mechanism, removals, defence.cases)
        if alone:
            yield defence.name, alone
            continue
        before = flipped(mechanism, defence.behind, defence.cases)
        after = flipped(mechanism, [*removals, *defence.behind], defence.cases)
        behind = ", ".join(" ".join(removal) for removal in defence.behind)
        yield f"{defence.name} + {behind}", sorted(set(after) - set(before))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="defences whose name holds this word")
    parser.add_argument("--mechanism", choices=("bubblewrap", "landlock"))
    wanted = parser.parse_args()
    unnoticed = 0
    for mechanism in ("bubblewrap", "landlock"):
        if wanted.mechanism not in (None, mechanism):
            continue
        print(f"\n| {mechanism} without | cases that flip |\n|---|---|")
        for name, cases in rows(mechanism, wanted.only):
            unnoticed += not cases
            print(f"| {name} | {', '.join(cases) or 'NONE'} |", flush=True)
        if not wanted.only:
            for name, told in filter_rows(mechanism):
                unnoticed += not told
                print(f"| filter: {name} | {told or 'NONE'} |", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
