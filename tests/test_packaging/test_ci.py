"""The checks of .ci/run notice what they are there to notice."""

import subprocess
import sys

import pytest

PASSED = "<testcase classname='a' name='passes'/>"
FAILED = "<testcase classname='a' name='fails'><failure message='assert 1 == 2'/></testcase>"


def skipped(reason):
    skip = f"<skipped message='{reason}'>file:1: {reason}</skipped>"
    return f"<testcase classname='a' name='skips'>{skip}</testcase>"


@pytest.fixture
def check_skips(root, tmp_path):
    def check(*cases):
        report = tmp_path / "tests.xml"
        report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        command = [sys.executable, "-P", str(root / ".ci" / "check_skips.py"), str(report)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    return check


def test_passed_tests_and_honest_skips_pass(check_skips):
    done = check_skips(PASSED, skipped("no CUDA device on this machine"))
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize(
    "reason",
    [
        "could not import &apos;the_well&apos;: No module named &apos;the_well&apos;",
        "needs the `well` extra",
        "neuraloperator is not installed",
    ],
)
def test_a_missing_extra_fails(check_skips, reason):
    done = check_skips(PASSED, skipped(reason))
    assert done.returncode == 1
    assert "a::skips" in done.stdout


def test_failures_and_empty_reports_fail(check_skips):
    assert check_skips(PASSED, FAILED).returncode == 1
    assert check_skips().returncode == 1
    assert check_skips(skipped("no CUDA device")).returncode == 1


def test_ci_is_executable_and_stops_at_the_first_failure(root):
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(script)], check=True)
