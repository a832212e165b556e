"""Counts test cases in Bazel's logs: count_tests.py LOGS "TARGET TARGET ...". Prints "N passed, N failed" last."""

import os
import sys
import xml.etree.ElementTree as ElementTree


def cases(path):
    """(passed, failed) of one test target's test.xml."""
    passed = failed = 0
    for case in ElementTree.parse(path).iter("testcase"):
        if case.get("status") == "notrun" or case.find("skipped") is not None:
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        else:
            passed += 1
    return passed, failed


def main():
    logs, targets = sys.argv[1], sys.argv[2].split()
    passed = failed = 0
    for target in targets:
        path = os.path.join(logs, target.lstrip("/").replace(":", "/"), "test.xml")
        try:
            target_passed, target_failed = cases(path)
        except (OSError, ElementTree.ParseError) as error:
            # A target that did not build or died before it could report.
            print(f"{target}: no result ({error})")
            target_passed, target_failed = 0, 1
        passed += target_passed
        failed += target_failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
