"""What a test command leaves, read as one result a test."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from treemend.store.errors import UsageError
from treemend.verify.test_reports import (
    Output,
    Reported,
    ReportedTest,
    distinct,
    parse_any_junit,
    parse_cargo,
    parse_go,
    parse_jest,
    parse_maven,
    parse_node,
    parse_vitest,
)


def outcomes(reported: Reported) -> dict[str, str]:
    return {name: test.outcome.value for name, test in distinct(reported).items()}


def junit(*cases: str, suite: str = "") -> Output:
    data = f"<testsuites><testsuite name='{suite}'>{''.join(cases)}</testsuite></testsuites>"
    return Output({"r.xml": data.encode()}, "")


FAILED = "<testcase classname='{}' name='{}' time='1,234.5'><failure message='m'>f</failure></testcase>"
PASSED = "<testcase classname='{}' name='{}'/>"


def test_unknown_tools_name_a_test_by_its_place() -> None:
    output = junit(
        PASSED.format("pkg.C", "t"), FAILED.format("pkg.C", "u"), "<testcase name='v'/>", suite="S"
    )
    assert outcomes(parse_any_junit(output)) == {
        "pkg.C::t": "passed",
        "pkg.C::u": "failed",
        "S::v": "passed",
    }
    failed = parse_any_junit(output)[1]
    assert (failed.seconds, failed.message, failed.trace) == (1234.5, "m", "f")


def test_every_outcome_of_a_junit_report() -> None:
    cases = (
        "<testcase name='e'><error>x\ny</error></testcase>",
        "<testcase name='s'><skipped/></testcase>",
        "<testcase name='todo'><skipped/><failure/></testcase>",
        "<testcase name='late'><failure/><skipped/></testcase>",
    )
    reported = parse_node(junit(*cases))
    assert outcomes(reported) == {"e": "error", "s": "skipped", "todo": "skipped", "late": "failed"}
    assert reported[0].message == "x"


def test_node_names_suites_and_where_it_can_the_file() -> None:
    data = b"""<testsuites><testcase name="top" classname="test" file="/w/a.test.js"/>
    <testsuite name="outer"><testsuite name="in"><testcase name="b &amp;quot;q&amp;quot;"/></testsuite>
    <testcase name="c"/></testsuite></testsuites>"""
    reported = parse_node(Output({"r.xml": data}, "", "/w"))
    assert list(outcomes(reported)) == ["a.test.js::top", 'outer > in > b "q"', "outer > c"]


def test_surefire_and_vitest_name_tests_as_their_own_options_take_them() -> None:
    assert list(outcomes(parse_maven(junit(PASSED.format("a.CTest", "adds"))))) == ["a.CTest#adds"]
    assert list(outcomes(parse_vitest(junit(PASSED.format("t/a.test.ts", "s &gt; adds"))))) == [
        "t/a.test.ts::s > adds"
    ]


def test_tests_of_one_name_are_told_apart_so_that_none_can_vanish() -> None:
    names = ["a", "b", "a", "a", "b"]
    found = distinct(parse_maven(junit(*(PASSED.format("C", name) for name in names))))
    assert list(found) == ["C#a", "C#b", "C#a[2]", "C#a[3]", "C#b[2]"]


def test_a_name_that_looks_like_the_second_of_another_keeps_apart() -> None:
    names = ["a", "a[2]", "a", "a[2]"]
    assert len(distinct(parse_maven(junit(*(PASSED.format("C", name) for name in names))))) == 4


@pytest.mark.parametrize("odd", ["\x1b[31mred", "two\nlines", "\u202egnp", "\ud800", "x" * 5000, ""])
def test_H15_odd_names_stay_on_one_line_and_short(odd: str) -> None:
    data = json.dumps(
        {
            "testResults": [
                {
                    "name": "/w/a.js",
                    "status": "passed",
                    "assertionResults": [{"ancestorTitles": [], "title": odd, "status": "passed"}],
                }
            ]
        }
    )
    (name,) = outcomes(parse_jest(Output({"r.json": data.encode()}, "", "/w")))
    assert name.isprintable() and len(name) <= 1000 and name.startswith("a.js::")
    name.encode()


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuites><testcase name="&b;"/></testsuites>"""
HOSTILE = {
    "empty": b"",
    "truncated": b"<testsuites><testsuite><testcase name='a'>",
    "entities": BOMB,
    "other": b"<html><body>no tests</body></html>",
    "encoding": "<?xml version='1.0' encoding='utf-8'?><testsuite name='é'/>".encode("latin-1"),
    "unknown encoding": b"<?xml version='1.0' encoding='x-nothing'?><testsuite/>",
    "binary": bytes(range(256)),
    "json": b'{"testResults": []}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_report_that_is_none_is_refused_by_its_name(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"out/r\.xml") as raised:
        parse_any_junit(Output({"out/r.xml": data}, ""))
    assert "--junit-report" in raised.value.mend


def test_depth_costs_nothing_and_utf_16_is_read() -> None:
    deep = b"<testsuites>" + b"<testsuite name='s'>" * 50_000 + b"<testcase name='t'/>"
    deep += b"</testsuite>" * 50_000 + b"</testsuites>"
    assert len(parse_any_junit(Output({"r.xml": deep}, ""))) == 1
    wide = "<?xml version='1.0' encoding='utf-16'?><testsuite><testcase name='é'/></testsuite>"
    assert list(outcomes(parse_any_junit(Output({"r.xml": wide.encode("utf-16")}, "")))) == ["é"]


JEST = {
    "testResults": [
        {
            "name": "/w/t/a.test.js",
            "status": "failed",
            "assertionResults": [
                {
                    "ancestorTitles": ["sum"],
                    "title": "adds",
                    "status": "failed",
                    "duration": 1500,
                    "failureMessages": ["Error: no\n    at x"],
                },
                {"ancestorTitles": ["sum"], "title": "later", "status": "todo", "duration": None},
            ],
        },
        {"name": "/w/t/b.test.js", "status": "failed", "message": "SyntaxError", "assertionResults": []},
    ]
}


def test_jest_names_files_suites_and_a_file_that_breaks() -> None:
    reported = parse_jest(Output({"r.json": json.dumps(JEST).encode()}, "", "/w"))
    assert outcomes(reported) == {
        "t/a.test.js::sum > adds": "failed",
        "t/a.test.js::sum > later": "skipped",
        "t/b.test.js": "error",
    }
    assert (reported[0].seconds, reported[0].message) == (1.5, "Error: no")


@pytest.mark.parametrize("data", ["", "[]", '{"testResults": 3}', '{"testResults": [{}]}', "[" * 100_000])
def test_a_broken_jest_report_is_refused_by_its_name(data: str) -> None:
    with pytest.raises(UsageError, match=r"r\.json"):
        parse_jest(Output({"r.json": data.encode()}, ""))


CARGO = """   Compiling calc v0.1.0 (/w)
     Running unittests src/lib.rs (target/debug/deps/calc-c6626fb655a8d231)

running 4 tests
test tests::boom - should panic ... ok
test tests::slow ... ignored, takes long
test tests::adds ... FAILED
test tests::zero ... ok

failures:

---- tests::adds stdout ----

thread 'tests::adds' (13793) panicked at src/lib.rs:8:25:
assertion `left == right` failed
  left: -1
 right: 3


failures:
    tests::adds

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s

     Running tests/api.rs (target/debug/deps/api-14943844c8ca6ed4)

running 1 test
test adds ... ok

   Doc-tests calc

running 2 tests
test src/lib.rs - add (line 1) ... ok
test src/lib.rs - add (line 5) ... FAILED
"""


def test_cargo_names_the_crate_and_no_line_that_an_edit_moves() -> None:
    reported = parse_cargo(Output({}, CARGO))
    assert outcomes(reported) == {
        "calc::tests::boom": "passed",
        "calc::tests::slow": "skipped",
        "calc::tests::adds": "failed",
        "calc::tests::zero": "passed",
        "api::adds": "passed",
        "calc (doc)::src/lib.rs - add": "passed",
        "calc (doc)::src/lib.rs - add[2]": "failed",
    }
    adds = next(test for test in reported if test.id == "calc::tests::adds")
    assert adds.message == "assertion `left == right` failed left: -1 right: 3"


def test_R22_a_test_that_prints_results_of_its_own_is_noticed() -> None:
    forged = CARGO.replace("test tests::adds ... FAILED", "test tests::adds ... ok\ntest tests::adds ... ok")
    with pytest.raises(UsageError, match="prints such lines"):
        parse_cargo(Output({}, forged))


def go_events(*events: dict[str, object]) -> Output:
    lines = [json.dumps({"Time": "2024-01-01T00:00:00Z", "Package": "ex.com/m", **event}) for event in events]
    return Output({}, "\n".join(["# some text of the build", *lines, '{"not an event', "[1]"]))


def test_go_names_packages_tests_and_subtests() -> None:
    output = go_events(
        {"Action": "start"},
        {"Action": "run", "Test": "TestAdd"},
        {"Action": "output", "Test": "TestAdd", "Output": "=== RUN   TestAdd\n"},
        {"Action": "output", "Test": "TestAdd", "Output": "    m_test.go:7: got -1\n"},
        {"Action": "fail", "Test": "TestAdd", "Elapsed": 0.25},
        {"Action": "run", "Test": "TestTable/a_b"},
        {"Action": "pass", "Test": "TestTable/a_b", "Elapsed": 0},
        {"Action": "skip", "Test": "TestSkip", "Elapsed": 0},
        {"Action": "fail", "Elapsed": 0.5},
    )
    reported = parse_go(output)
    assert outcomes(reported) == {
        "ex.com/m::TestAdd": "failed",
        "ex.com/m::TestTable/a_b": "passed",
        "ex.com/m::TestSkip": "skipped",
    }
    assert (reported[0].message, reported[0].seconds) == ("m_test.go:7: got -1", 0.25)


def test_a_go_package_that_does_not_build_or_stops_is_a_failure() -> None:
    unbuilt = go_events({"Action": "output", "Output": "x.go:3: undefined: y\n"}, {"Action": "fail"})
    assert outcomes(parse_go(unbuilt)) == {"ex.com/m": "error"}
    stopped = go_events({"Action": "run", "Test": "TestAdd"}, {"Action": "fail"})
    assert outcomes(parse_go(stopped)) == {"ex.com/m::TestAdd": "error"}


@pytest.mark.parametrize("parse", [parse_cargo, parse_go])
@pytest.mark.parametrize("printed", ["", "\0\x1b[2J", "test ... ok", "running 9" * 1000, "{" * 10_000])
def test_text_that_tells_nothing_gives_no_tests(parse: Callable[[Output], Reported], printed: str) -> None:
    assert parse(Output({}, printed)) == []


def test_more_tests_than_a_report_can_be_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treemend.verify.test_reports.TESTS_MAX", 3)
    tests = [ReportedTest(str(n), parse_maven(junit(PASSED.format("C", "a")))[0].outcome) for n in range(4)]
    with pytest.raises(UsageError, match="more than 3"):
        distinct(tests)
