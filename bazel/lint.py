"""Part of `./dev lint`: format, names, header guards, unfinished work, and the arrows between rooms.

Which room may include which is stated in the rooms' README.md files and nowhere else: see rooms.py.
"""

import os
import re
import subprocess
import sys

import architecture
import rooms

FORBIDDEN_NAMES = re.compile(r"(^|_)(util|utils|common|helper|helpers|misc|manager)(_|\.|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked_files():
    return subprocess.check_output(["git", "ls-files"], text=True).split("\n")[:-1]


def check_guard(path, text):
    guard = "PURSER_" + re.sub(r"[/.]", "_", path).upper() + "_"
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        yield f"{path}:1: expected the header guard {guard}"


def main():
    problems = []
    files = tracked_files()
    sources = [f for f in files if f.endswith((".cc", ".h")) and os.path.exists(f)]
    for path in files:
        if FORBIDDEN_NAMES.search(os.path.basename(path)):
            problems.append(f"{path}: the name hides what the file is for")
        if not path.endswith((".cc", ".h", ".py", ".bzl", ".bazel", ".proto", ".js")) or not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path != "bazel/lint.py":
            for number, line in enumerate(text.split("\n"), 1):
                if UNFINISHED.search(line):
                    problems.append(f"{path}:{number}: unfinished: {line.strip()}")
        if path.endswith(".h"):
            problems.extend(check_guard(path, text))
    tree = rooms.load(".", files)
    problems.extend(rooms.check(tree))
    problems.extend(architecture.check(tree))
    formatted = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *sources],
                               capture_output=True, text=True, check=False)
    problems.extend(line for line in formatted.stderr.split("\n") if "error:" in line)
    for problem in problems:
        print(problem)
    print(f"lint: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
