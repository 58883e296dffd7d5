"""The system call filter, run by a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from treemend.verify.seccomp import landlocked_filter, namespaced_filter
from treemend.verify.syscalls import LAST_KNOWN, NUMBERS

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(ARCHITECTURES)
LOCKED = {
    machine: landlocked_filter(keeps_attributes=True, denies_truncate=True, machine=machine)
    for machine in MACHINES
}
OPEN = {machine: namespaced_filter(machine) for machine in MACHINES}


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do: the program's return value for one call."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(a & (2**64 - 1) for a in padded))
    code = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        operation, on_true, on_false, value = code[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x15:
            at += on_true if accumulator == value else on_false
        elif operation == 0x25:
            at += on_true if accumulator > value else on_false
        else:
            assert operation == 0x06
            return int(value)


def judge(programs: dict[str, bytes], machine: str, call: str, *arguments: int) -> int:
    number = NUMBERS[call][MACHINES.index(machine)]
    assert number is not None
    return verdict(programs[machine], ARCHITECTURES[machine], number, *arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("programs", [OPEN, LOCKED], ids=["namespaced", "landlocked"])
class TestBothFilters:
    def test_E50_another_architecture_is_killed(self, programs: dict[str, bytes], machine: str) -> None:
        for foreign in (0x40000003, 0, *ARCHITECTURES.values()):
            wanted = ALLOW if foreign == ARCHITECTURES[machine] else KILL
            assert verdict(programs[machine], foreign, 0) == wanted

    def test_E50_x32_is_killed(self, programs: dict[str, bytes], machine: str) -> None:
        for number in (0x40000000, 0x40000027, -1):
            seen = verdict(programs[machine], ARCHITECTURES[machine], number)
            assert seen == (KILL if machine == "x86_64" else ERRNO | errno.ENOSYS)

    def test_calls_that_nobody_knows_yet_do_not_exist(self, programs: dict[str, bytes], machine: str) -> None:
        seen = verdict(programs[machine], ARCHITECTURES[machine], LAST_KNOWN + 1)
        assert seen == ERRNO | errno.ENOSYS

    @pytest.mark.parametrize(
        "call", ["mount", "bpf", "ptrace", "unshare", "keyctl", "io_uring_setup", "userfaultfd"]
    )
    def test_E43_to_E55_are_refused(self, programs: dict[str, bytes], machine: str, call: str) -> None:
        assert judge(programs, machine, call) == ERRNO | errno.EPERM

    def test_E44_clone_makes_threads_and_no_namespaces(
        self, programs: dict[str, bytes], machine: str
    ) -> None:
        assert judge(programs, machine, "clone", 0x003D0F00) == ALLOW
        for bit in (17, 25, 26, 27, 28, 29, 30):
            assert judge(programs, machine, "clone", 1 << bit | 17) == ERRNO | errno.EPERM
        assert judge(programs, machine, "clone3") == ERRNO | errno.ENOSYS

    def test_E39_terminal_input_is_not_injected(self, programs: dict[str, bytes], machine: str) -> None:
        # The kernel takes the low half of the argument; so does the filter.
        for command in (0x5412, 0x541C, 0x5412 | 1 << 40):
            assert judge(programs, machine, "ioctl", 0, command) == ERRNO | errno.EPERM
        assert judge(programs, machine, "ioctl", 0, 0x5413) == ALLOW

    def test_E45_only_devices_are_not_made(self, programs: dict[str, bytes], machine: str) -> None:
        for mode in (0o060600, 0o020600):
            assert judge(programs, machine, "mknodat", 0, 0, mode) == ERRNO | errno.EPERM
        for mode in (0o010600, 0o100600, 0o600):
            assert judge(programs, machine, "mknodat", 0, 0, mode) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_E13_E14_namespaced_commands_have_local_sockets_only(machine: str) -> None:
    for family in range(64):
        wanted = family in (1, 2, 10)
        for call in ("socket", "socketpair"):
            seen = judge(OPEN, machine, call, family, 1)
            assert seen == (ALLOW if wanted else ERRNO | errno.EAFNOSUPPORT)


@pytest.mark.parametrize("machine", MACHINES)
def test_E09_to_E14_landlocked_commands_have_stream_pairs_only(machine: str) -> None:
    refused = ERRNO | errno.EACCES
    for family in range(64):
        assert judge(LOCKED, machine, "socket", family, 1) == refused
    flags = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        assert judge(LOCKED, machine, "socketpair", 1, kind | flags) == ALLOW
    assert judge(LOCKED, machine, "socketpair", 1, socket.SOCK_DGRAM | flags) == refused
    assert judge(LOCKED, machine, "socketpair", 2, socket.SOCK_STREAM) == refused


@pytest.mark.parametrize("machine", MACHINES)
def test_attributes_are_kept_only_where_the_user_owns_more_than_the_copy(machine: str) -> None:
    program = landlocked_filter(keeps_attributes=False, denies_truncate=False, machine=machine)
    dropped = {machine: program}
    for call in ("fchmod", "fchmodat", "fchownat", "utimensat", "fsetxattr"):
        assert judge(LOCKED, machine, call) == ERRNO
        assert judge(dropped, machine, call) == ALLOW
    assert judge(LOCKED, machine, "truncate") == ERRNO | errno.EACCES
    assert judge(dropped, machine, "truncate") == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_of_the_table_is_judged(machine: str) -> None:
    """A name in the table that no rule uses is a rule that somebody forgot."""
    column = MACHINES.index(machine)
    for call, numbers in NUMBERS.items():
        number = numbers[column]
        if number is None:
            continue
        seen = {
            verdict(LOCKED[machine], ARCHITECTURES[machine], number, *arguments)
            for arguments in ((0,) * 6, (1 << 28,) * 6, (1, 0x5412, 0o60000), (1, 0o60000))
        }
        assert seen != {ALLOW}, call


def test_no_number_is_named_twice() -> None:
    for column in range(2):
        numbers = [pair[column] for pair in NUMBERS.values() if pair[column] is not None]
        assert len(numbers) == len(set(numbers))


def test_unknown_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        namespaced_filter("riscv64")
