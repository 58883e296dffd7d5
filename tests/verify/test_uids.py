"""Throwaway user ids."""

from __future__ import annotations

import contextlib

from treemend.verify.uids import throwaway_uid


def test_each_is_held_by_one_run() -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(throwaway_uid()) for _ in range(20)]
        assert len(set(held)) == 20
        assert all(60_000 < uid < 65_534 for uid in held)


def test_it_is_free_again_afterwards() -> None:
    for _ in range(1000):
        with throwaway_uid() as uid:
            assert 60_000 < uid < 65_534
