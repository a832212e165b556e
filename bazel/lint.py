"""What `./dev lint` checks beside shell scripts: format, the arrows between folders, names, header guards, long lines."""

import os
import re
import subprocess
import sys

# Which of our folders the files of a folder may include (arrows run one way). The longest prefix counts.
# A folder may always include itself.
MAY_INCLUDE = {
    "policies": [],
    "cache": ["policies"],
    "engine/pricing": ["policies"],
    "engine/routing": ["policies", "engine/pricing", "engine/request.h", "engine/clock.h", "tests/support/allocations.h",
                       "cache"],
    "engine/budget": ["policies", "engine/pricing", "engine/request.h", "engine/clock.h", "engine/base/spin_lock.h"],
    "engine/ledger": ["policies", "engine/pricing", "engine/clock.h", "engine/base/spin_lock.h"],
    "engine/books": ["policies", "engine/ledger", "engine/pricing"],
    "engine/cli": ["policies", "cache", "engine"],
    "engine": ["policies", "cache", "engine"],
    "bench": ["policies", "cache", "engine"],
    "tests": ["policies", "cache", "engine"],
}
FORBIDDEN_NAMES = re.compile(r"(^|_)(util|utils|common|helper|helpers|misc|manager)(_|\.|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked_files():
    return subprocess.check_output(["git", "ls-files"], text=True).split("\n")[:-1]


def folder_of(path):
    matches = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(matches, key=len, default=None)


def check_includes(path, text):
    folder = folder_of(path)
    if folder is None:
        return
    allowed = MAY_INCLUDE[folder] + [folder]
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'#include "((?:policies|cache|engine)/[^"]+)"', line)
        if match and not any(match[1] == a or match[1].startswith(a + "/") for a in allowed):
            yield f"{path}:{number}: {folder}/ may not include {match[1]}"


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
        if path.endswith((".cc", ".h")):
            problems.extend(check_includes(path, text))
        if path.endswith(".h"):
            problems.extend(check_guard(path, text))
    formatted = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *sources],
                               capture_output=True, text=True, check=False)
    problems.extend(line for line in formatted.stderr.split("\n") if "error:" in line)
    for problem in problems:
        print(problem)
    print(f"lint: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
