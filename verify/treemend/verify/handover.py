"""The first command inside bubblewrap: it fills the copy, bounds itself and hands over.

One shell and the system's own small programs, since a second interpreter would cost more than all
the rest of the start.
"""

from __future__ import annotations

import resource
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from treemend.verify.mounts import HOME, OVERLAY, TREE, Placement
from treemend.verify.processes import DEFAULT_PATH
from treemend.verify.rlimits import resource_limits
from treemend.verify.sandbox import Command, Limits

# Flag and unit in bytes of the shell's `ulimit` (POSIX counts file sizes in 512-byte blocks).
_ULIMIT = {
    resource.RLIMIT_NOFILE: ("-n", 1),
    resource.RLIMIT_CPU: ("-t", 1),
    resource.RLIMIT_FSIZE: ("-f", 512),
    resource.RLIMIT_DATA: ("-d", 1024),
}


@dataclass(frozen=True, slots=True)
class UserDrop:
    """Turns root into `uid` by util-linux's `setpriv`."""

    setpriv: Path
    uid: int

    def argv(self, capabilities: str, bounding: Sequence[str] = ()) -> list[str]:
        """What to put before a command; `capabilities` as setpriv takes them, such as "-all"."""
        return [
            *(str(self.setpriv), f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"),
            *(f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", *bounding),
            "--",
        ]


def first_command(command: Command, placement: Placement, drop: UserDrop | None, report_fd: int) -> list[str]:
    """The argv of the shell that prepares the copy and becomes `command`."""
    script = _script(command, placement, drop, report_fd)
    return ["/bin/sh", "-c", script, "sh", *_exact(command, drop, report_fd)]


def _script(command: Command, placement: Placement, drop: UserDrop | None, report_fd: int) -> str:
    steps = []
    copy = "cp"
    if drop is not None:
        owned = shlex.join(map(str, (*placement.folders, HOME)))
        steps.append(f"chown {drop.uid}:{drop.uid} -- {owned}")
        copy = shlex.join([*drop.argv("+dac_read_search"), "cp"])
    steps += _copy_steps(copy, placement, overlay=bool(command.overlay))
    steps += _limit_steps(command.limits)
    # A shell redirects to one-digit descriptors only, so the pipe is opened by its path.
    steps.append(f"echo >/proc/self/fd/{report_fd}")
    return f'PATH=/usr/bin:/bin; umask 022; {" && ".join(steps)} && exec "$@"'


def _copy_steps(copy: str, placement: Placement, *, overlay: bool) -> list[str]:
    at = str(placement.at)
    if placement.holes:
        steps = [_copy_around(copy, placement, folder) for folder in placement.folders]
    else:
        steps = [f"{copy} -dRp -- {shlex.join((f'{TREE}/.', at))}"]
    if overlay:
        paths = shlex.join((f"{OVERLAY}/.", at))
        steps.append(f"{copy} -dRp --remove-destination -- {paths}")
    return steps


def _copy_around(copy: str, placement: Placement, folder: Path) -> str:
    """Copy one folder that has mount points below it: all of its entries but those."""
    source = shlex.quote(str(TREE / folder.relative_to(placement.at)))
    left_out = [p.name for p in (*placement.holes, *placement.folders) if p.parent == folder]
    pattern = "|".join(map(shlex.quote, left_out))
    return (
        f"( [ ! -d {source} ] || {{ cd {source} && set -- &&"
        f' for f in * .[!.]* ..?*; do case "$f" in {pattern}) continue;; esac;'
        ' if [ -e "$f" ] || [ -L "$f" ]; then set -- "$@" "$f"; fi; done;'
        f' [ $# -eq 0 ] || {copy} -dRp -- "$@" {shlex.quote(str(folder))}; }} )'
    )


def _limit_steps(limits: Limits) -> list[str]:
    values = dict(resource_limits(limits))
    steps = [f"ulimit {flag} {values[kind] // unit}" for kind, (flag, unit) in _ULIMIT.items()]
    # No shell counts the size of a core in bytes.
    core = values[resource.RLIMIT_CORE]
    steps.append(f"{{ prlimit --pid $$ --core={core}:{core} 2>/dev/null || ulimit -c 0; }}")
    # Processes: -u for bash and its like, -p for dash, where -u does not exist.
    processes = values[resource.RLIMIT_NPROC]
    return [*steps, f"{{ ulimit -u {processes} 2>/dev/null || ulimit -p {processes}; }}"]


def _exact(command: Command, drop: UserDrop | None, report_fd: int) -> list[str]:
    """The command behind what gives it its exact environment and its user id."""
    environment = {
        "PATH": DEFAULT_PATH,
        "HOME": str(HOME),
        "TMPDIR": "/tmp",
        **command.env,
        "TREEMEND_REPORT_FD": str(report_fd),
    }
    argv = list(command.argv)
    if drop is not None:
        argv = [*drop.argv("-all", bounding=("--bounding-set=-all",)), *argv]
    elif "=" in argv[0]:
        # `env` would take it for a variable.
        argv = ["/usr/bin/nice", "-n", "0", *argv]
    return ["env", "-i", "--", *(f"{k}={v}" for k, v in environment.items()), *argv]
