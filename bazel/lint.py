"""What `./dev lint` checks beside shell scripts: format, the arrows between rooms, public headers, names, header guards."""

import os
import re
import subprocess
import sys

import architecture
import rooms

FORBIDDEN_NAMES = re.compile(r"(^|_)(util|utils|common|helper|helpers|misc|manager)(_|\.|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def public_headers(tree):
    """path -> how it is included."""
    names = {f: "purser/" + os.path.basename(f) for f in tree.files if re.fullmatch(r"engine/\w+\.h", f)}
    listed = re.search(r'name = "public_headers",\n    srcs = \[(.*?)\]', tree.read("cache/BUILD.bazel"), re.S)
    names.update({f"cache/{header}": f"purser/cache/{header}" for header in re.findall(r'"(\w+\.h)"', listed[1])})
    return names


def check_public_headers(tree):
    """Only public headers, std and absl in public headers; and nobody includes one by another name."""
    public = public_headers(tree)
    for path in tree.files:
        if not path.endswith(rooms.SOURCE):
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = re.match(r'#include ["<]([^">]+)[">]', line)
            if match is None:
                continue
            included = match[1]
            if included in public:
                yield f"{path}:{number}: include {included} as <{public[included]}>"
            stranger = "/" in included and not included.startswith("absl/") and included not in public.values()
            if path in public and stranger:
                yield f"{path}:{number}: a public header may include public headers, std and absl, not {included}"


def check_ground_floor(tree):
    """base/ is a closed list: what stands there is what its README names, and the reverse."""
    listed = set(re.findall(r"^\| `(\w+)` \|", tree.read("engine/base/README.md"), re.M))
    there = {os.path.basename(f).split(".")[0].removesuffix("_test") for f in tree.files
             if re.fullmatch(r"engine/base/\w+\.(h|cc)", f)}
    for name in sorted(there - listed):
        yield f"engine/base/{name}: not on the list of engine/base/README.md; a new file there needs a reason"
    for name in sorted(listed - there):
        yield f"engine/base/README.md: lists {name}, which is not there"


def check_guard(path, text):
    guard = "PURSER_" + re.sub(r"[/.]", "_", path).upper() + "_"
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        yield f"{path}:1: expected the header guard {guard}"


def check_text(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished: {line.strip()}"
    if path.endswith(".h"):
        yield from check_guard(path, text)


def main():
    tree = rooms.Tree()
    problems = [f"{path}: the name hides what the file is for" for path in tree.files
                if FORBIDDEN_NAMES.search(os.path.basename(path))]
    for path in tree.files:
        if path.endswith((".cc", ".h", ".py", ".bzl", ".bazel", ".proto", ".js")) and path != "bazel/lint.py":
            problems.extend(check_text(path, tree.read(path)))
    all_rooms = rooms.Rooms(tree)
    problems.extend(all_rooms.check())
    problems.extend(check_public_headers(tree))
    problems.extend(check_ground_floor(tree))
    if architecture.PAGE not in tree.files or tree.read(architecture.PAGE) != architecture.page(all_rooms):
        problems.append(f"{architecture.PAGE}: is not what the READMEs say; run python3 bazel/architecture.py --write")
    sources = [f for f in tree.files if f.endswith((".cc", ".h"))]
    formatted = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *sources],
                               capture_output=True, text=True, check=False)
    problems.extend(line for line in formatted.stderr.split("\n") if "error:" in line)
    for problem in problems:
        print(problem)
    print(f"lint: {len(tree.files)} files, {len(all_rooms.stated)} rooms, {all_rooms.arrows()} arrows, "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
