"""What counts as progress, and what the failures say about a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from treemend.agents.feedback import Failure, Feedback, Wanted, is_progress, wanted_by
from treemend.agents.template_policy.evidence import OddType, evidence_of
from treemend.agents.templates.catalogue import changes
from treemend.store.records import Edit, Frame, TestOutcome
from treemend.tools.syntax import parse_module
from treemend.verify.runner import Returned, TestResult

ASSERTION = "/repo/test_a.py:3: assert [1] == [1, 2]\n + where [1] = f([1, 2])"
NOTHING = "/repo/test_a.py:3: assert None == [1, 2]\n + where None = f([1, 2])"
UNKNOWN = "/repo/a.py:7: NameError: name 'itme' is not defined"
OTHER_UNKNOWN = "/repo/a.py:8: NameError: name 'reslt' is not defined"


def seen(*passed: str, hung: bool = False, **failures: str) -> Feedback:
    return Feedback(
        passed=frozenset(passed),
        failures={test: Failure(message=message, hung=hung) for test, message in failures.items()},
    )


def test_one_more_target_that_passes_is_progress() -> None:
    before = seen(a=ASSERTION, b=ASSERTION)
    assert is_progress(before, seen("a", b=ASSERTION))
    assert not is_progress(before, before)


def test_another_target_in_exchange_is_none() -> None:
    assert not is_progress(seen("a", b=ASSERTION), seen("b", a=ASSERTION))


@pytest.mark.parametrize(
    ("old", "new"),
    [(UNKNOWN, OTHER_UNKNOWN), (UNKNOWN, NOTHING), (UNKNOWN, ASSERTION), (NOTHING, ASSERTION)],
)
def test_the_code_gets_further(old: str, new: str) -> None:
    assert is_progress(seen(a=old), seen(a=new))
    assert not is_progress(seen(a=new), seen(a=old)) or (old, new) == (UNKNOWN, OTHER_UNKNOWN)


def test_a_place_that_shifts_is_no_progress() -> None:
    assert not is_progress(seen(a=UNKNOWN), seen(a=UNKNOWN.replace(":7:", ":9:")))


def test_the_end_of_a_hang_is_progress() -> None:
    assert is_progress(seen(a="over its limit", hung=True), seen(a=NOTHING))


def test_it_must_get_further_in_every_target() -> None:
    assert not is_progress(seen(a=UNKNOWN, b=ASSERTION), seen(a=ASSERTION, b=ASSERTION))


CODE = """\
def pick(items, wanted):
    found = []
    for item in items:
        if itme == wanted:
            found.append(item)
    return found
"""


def crash(line: int) -> Feedback:
    message = f"/repo/a.py:{line}: NameError: name 'itme' is not defined"
    frames = (Frame(path="test_a.py", line=4), Frame(path="a.py", line=line, function="pick"))
    return Feedback(passed=frozenset(), failures={"a": Failure(message=message, frames=frames)})


def likeliest(symptom: Feedback, made: tuple[Edit, ...] = ()) -> set[str]:
    found = changes(parse_module("a.py", CODE), range(1, 7))
    evidence = evidence_of(symptom, {"a.py": CODE}, made)
    top = max(evidence.likelihood(change) for change in found)
    return {change.remedy for change in found if evidence.likelihood(change) == top}


def test_an_unknown_name_makes_its_replacement_likeliest() -> None:
    remedies = likeliest(crash(4))
    assert "Use `item` instead of `itme`." in remedies
    assert not any("return" in remedy or "found.append" in remedy for remedy in remedies)


def test_lines_are_those_of_the_untouched_file() -> None:
    inserted = Edit(
        path="a.py", start=CODE.index("    found"), end=CODE.index("    found"), text="    x = 1\n"
    )
    assert likeliest(crash(5), (inserted,)) == likeliest(crash(4))


def test_frames_outside_of_the_editable_files_say_nothing() -> None:
    evidence = evidence_of(crash(4), {"b.py": CODE})
    assert evidence.crashes == ()


MIDDLE = """\
def middle(values):
    half = len(values) // 2
    return values[half]
"""


@pytest.mark.parametrize(
    ("odd", "usual", "remedy"),
    [
        ("set", ("list",), "Make it a `list`."),
        ("NoneType", ("list", "tuple"), "Return `values` if `values is None`."),
    ],
)
def test_a_type_that_only_failing_tests_give_makes_its_handling_likelier(
    odd: str, usual: tuple[str, ...], remedy: str
) -> None:
    found = changes(parse_module("m.py", MIDDLE), range(1, 4))
    types = (OddType("m.py", range(1, 4), "values", odd, usual, share=1.0),)
    evidence = evidence_of(Feedback(passed=frozenset(), failures={}), {"m.py": MIDDLE}, types=types)
    likelier = {change.remedy for change in found if evidence.likelihood(change) > 1}
    assert remedy in likelier
    assert "Use `half + 1` instead of `half`." not in likelier
    elsewhere = replace(types[0], lines=range(10, 20))
    other = evidence_of(Feedback(passed=frozenset(), failures={}), {"m.py": MIDDLE}, types=(elsewhere,))
    assert {other.likelihood(change) for change in found} == {1}


SCOPE = {"total": "[1, 2]", "total[:-1]": "[1]", "count": "2", "len(total)": "2"}


@pytest.mark.parametrize(
    ("message", "value", "expressions"),
    [
        ("/r/t.py:3: assert 3 == 2\n +  where 3 = f([1, 2])", "3", ("count", "len(total)")),
        ("/r/t.py:3: assert [1] == [1, 2]", "[1, 2]", ("total[:-1]",)),
        ("/r/t.py:3: AssertionError: [1] != [1, 2]", "[1]", ("total",)),
        ("/r/t.py:3: assert [1, ...] == 2", "2", ()),
        ("/r/t.py:3: assert 3 == 4", "3", ()),
        ("/r/t.py:3: ValueError: 3 == 2", "3", ()),
    ],
)
def test_what_should_have_been_given_back(message: str, value: str, expressions: tuple[str, ...]) -> None:
    returned = Returned("a.py", 6, value, SCOPE)
    found = wanted_by(TestResult(TestOutcome.FAILED, 0.1, message, returned=(returned,)))
    assert [wanted.expressions for wanted in found] == ([expressions] if expressions else [])


def test_the_expression_that_had_the_wanted_value_comes_first() -> None:
    wanted = Wanted(path="a.py", line=6, expressions=("len(found)",))
    failure = Failure(message="/r/t.py:3: assert [1] == 1", wanted=(wanted,))
    remedies = likeliest(Feedback(passed=frozenset(), failures={"a": failure}))
    assert remedies == {"Use `len(found)` instead of `found`."}
