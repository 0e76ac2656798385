"""Each promise of SECURITY.md names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_tests_of_the_promises_exist() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) >= 6
    assert [test for file, test in named if f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")] == []
