"""An issue's text is taken apart into title, prose, code, frames and names."""

from __future__ import annotations

import pytest

from treemend.tools.localization.cues import Said, TextFrame, read_cues

ISSUE = """Cart.total is wrong

<!-- please search first -->
When I put *eleven* items in, `discount` is not taken off.

```python
import shop.cart as sc
from shop.mail import send_invoice
cart = sc.Cart()
cart.add(ware, amount=11)
```

numpy: 1.21.0
- [x] I have searched
"""


def test_parts_are_told_apart() -> None:
    cues = read_cues(ISSUE)
    assert cues.title == "Cart.total is wrong"
    assert "eleven" in cues.prose and "amount" not in cues.prose
    assert "amount=11" in cues.code and "eleven" not in cues.code
    for noise in ("please search", "1.21.0", "I have searched"):
        assert noise not in cues.prose + cues.code


def test_aliases_of_the_issue_are_resolved() -> None:
    dotted = read_cues(ISSUE).dotted
    assert "shop.cart.Cart" in dotted
    assert "shop.mail.send_invoice" in dotted
    assert "Cart.total" in dotted


def test_how_a_name_is_said() -> None:
    said = read_cues(ISSUE).identifiers
    assert said["total"] & Said.TITLE
    assert said["discount"] & Said.INLINE and not said["discount"] & Said.TITLE
    assert said["add"] & Said.CALLED
    assert said["amount"] & Said.KEYWORD


def test_what_the_issue_defines_is_the_reporters_own() -> None:
    cues = read_cues("Broken\n\n    class Mine(Cart):\n        def total(self):\n            pass\n")
    assert cues.identifiers["Mine"] & Said.DEFINED
    assert not cues.identifiers["Cart"] & Said.DEFINED


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ('  File "/x/shop/cart.py", line 12, in total', ("/x/shop/cart.py", 12, "total")),
        ("shop/cart.py:12: in total", ("shop/cart.py", 12, "total")),
        ("shop/cart.py:12: ValueError", ("shop/cart.py", 12, "")),
        ("C:\\x\\shop\\cart.py:12: in total", ("C:/x/shop/cart.py", 12, "total")),
        ("~/shop/cart.py in total(self)", ("~/shop/cart.py", 0, "total")),
        ("\tat org.shop.Cart.total(Cart.java:12)", ("org/shop/Cart.java", 12, "total")),
        ("    at Cart.total (/x/shop/cart.ts:12:5)", ("/x/shop/cart.ts", 12, "total")),
        ("    at /x/shop/cart.js:12:5", ("/x/shop/cart.js", 12, "")),
        ("\t/x/shop/cart.go:12 +0x1d", ("/x/shop/cart.go", 12, "")),
        ("             at ./src/cart.rs:12:5", ("./src/cart.rs", 12, "")),
        ("\tfrom shop/cart.rb:12:in `total'", ("shop/cart.rb", 12, "total")),
        ("shop/cart.rb:12:in 'Cart#total'", ("shop/cart.rb", 12, "total")),
        ("#0 /x/shop/Cart.php(12): Shop\\Cart->total()", ("/x/shop/Cart.php", 12, "total")),
        ("   at Shop.Cart.Total(Item x) in C:\\x\\Cart.cs:line 12", ("C:/x/Cart.cs", 12, "Total")),
        ("#1  0x0000 in shop::total (cart=...) at src/cart.cpp:12", ("src/cart.cpp", 12, "total")),
        ("    #1 0x4f in shop::total() /x/src/cart.cpp:12:7", ("/x/src/cart.cpp", 12, "total")),
    ],
)
def test_frames_of_many_languages(line: str, frame: tuple[str, int, str]) -> None:
    assert read_cues(f"It crashes\n\n{line}\n").frames == (TextFrame(*frame),)


def test_the_innermost_frame_is_the_last() -> None:
    python = 'x\n  File "a.py", line 1, in outer\n    inner()\n  File "b.py", line 2, in inner\n'
    java = "x\n\tat org.B.inner(B.java:2)\n\tat org.A.outer(A.java:1)\n"
    assert [frame.function for frame in read_cues(python).frames] == ["outer", "inner"]
    assert [frame.function for frame in read_cues(java).frames] == ["outer", "inner"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "\0", "```", "<!--", "`" * 1000, "(" * 5000, "=" * 5000, "a." * 3000]
)
def test_odd_texts_are_read(text: str) -> None:
    cues = read_cues(text)
    assert (cues.frames, cues.paths, cues.errors) == ((), (), ())


def test_a_long_log_is_read_in_bounds() -> None:
    line = '  File "/x/shop/cart.py", line 12, in total\n'
    cues = read_cues("Title\n" + "INFO nothing happens here = 1\n" * 40_000 + line)
    assert cues.title == "Title"
    assert cues.frames[-1].function == "total"
    assert len(cues.prose) + len(cues.code) < 70_000


def test_invisible_characters_are_dropped() -> None:
    assert "discount" in read_cues("The dis\u200bcount is wrong").identifiers
