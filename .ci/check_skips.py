"""Fail if a test report shows no tests, or tests skipped because an optional package was missing."""

import re
import sys
import xml.etree.ElementTree as ElementTree

# what pytest.importorskip says, and the words of tests that skip themselves
MISSING = re.compile(
    r"could not import|no module named|not installed|\bextras?\b|needs? the .* package", re.I
)


def main(report: str) -> int:
    """Read a JUnit report, print the counts in pytest's manner, and return the exit code."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    skipped = [(case, skip) for case in cases for skip in case.findall("skipped")]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    wanting = [
        f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}"
        for case, skip in skipped
        if MISSING.search(f"{skip.get('message')} {skip.text}")
    ]
    for line in wanting:
        print(f"skipped for want of an extra: {line}")
    num_passed = len(cases) - len(skipped) - len(failed)
    print(f"{num_passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return int(bool(wanting or failed or not num_passed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
