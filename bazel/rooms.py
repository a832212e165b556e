"""The rooms of the tree and the arrows between them, as their READMEs state them.

A room is a folder with a README.md that has a line

    Depends on: `policies/`, `engine/base/`, public headers.

or `Depends on: nothing of ours.` Sources belong to the room of the longest matching folder. lint.py enforces the lines,
architecture.py draws them: there is no other list.

Public headers (those at the top of engine/, and the ones that cache/BUILD.bazel calls public) are included as
<purser/...> by everyone and stand beneath all rooms; they are no arrow.
"""

import os
import re
import subprocess

# Rooms from which everything of ours may be reached; their READMEs say so in words.
ABOVE_ALL = ("engine/cli", "bench", "tests")
TOP = ("policies", "cache", "engine", "bench", "tests")
SOURCE = (".cc", ".h", ".inc")


class Tree:
    """The tracked files below `root` and their texts."""

    def __init__(self, root="."):
        self.root = root
        listed = subprocess.run(["git", "ls-files"], cwd=root, text=True, capture_output=True, check=True).stdout
        self.files = [f for f in listed.split("\n") if f and os.path.exists(os.path.join(root, f))]

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()


def is_test(path):
    return path.endswith(("_test.cc", "_test.h"))


class Rooms:
    """`stated`: room -> the rooms that its README lets it include. `problems`: what is wrong with the statements."""

    def __init__(self, tree):
        self.tree = tree
        self.problems = []
        self.stated = {}
        self.question = {}
        for path in tree.files:
            folder, name = os.path.split(path)
            if name == "README.md" and folder.split("/")[0] in TOP:
                self._read_readme(folder, tree.read(path))
        self.sources = [f for f in tree.files if f.endswith(SOURCE) and f.split("/")[0] in TOP
                        and not re.fullmatch(r"engine/\w+\.h", f)]  # Public headers; lint.py looks after them.
        self.used = {room: {} for room in self.stated}
        for path in self.sources:
            self._read_includes(path)

    def _read_readme(self, room, text):
        lines = re.findall(r"^Depends on: (.*?)\.?$", text, re.M)
        if not lines:
            return
        if len(lines) > 1:
            self.problems.append(f"{room}/README.md: one line \"Depends on: ...\" is enough; it has {len(lines)}")
        self.stated[room] = [folder.rstrip("/") for folder in re.findall(r"`([^`]+)`", lines[0])]
        title = re.match(r"# [^\n]*\n+([^\n]*)", text)
        self.question[room] = title[1] if title else ""

    def room_of(self, path):
        rooms = [room for room in self.stated if path.startswith(room + "/")]
        return max(rooms, key=len, default=None)

    def _read_includes(self, path):
        room = self.room_of(path)
        if room is None:
            self.problems.append(f"{path}: stands in no room; its folder's README needs a line \"Depends on: ...\"")
            return
        for number, line in enumerate(self.tree.read(path).split("\n"), 1):
            match = re.match(r'#include ["<]([^">]+)[">]', line)
            if match is None:
                continue
            included = match[1]
            target = self.room_of(included) if included.split("/")[0] in TOP else None
            if re.fullmatch(r"purser/\w+\.pb\.h", included):
                target = "policies"
            if target is None or target == room:
                continue
            if included.startswith("tests/") and not is_test(path) and not room.startswith(("tests", "bench")):
                self.problems.append(f"{path}:{number}: only tests may include {included}")
            elif not is_test(path) or not included.startswith("tests/"):
                self.used[room].setdefault(target, f"{path}:{number}")
            if room in ABOVE_ALL or room.startswith("tests/") or target in self.stated[room]:
                continue
            if is_test(path):  # A unit's test may reach what its room does not.
                self.used[room].pop(target, None)
                continue
            self.problems.append(f"{path}:{number}: {room}/README.md does not let it include {included}")

    def check(self):
        """Every problem: includes that are not stated, statements that nothing uses, circles."""
        yield from self.problems
        for room, targets in sorted(self.stated.items()):
            for target in targets:
                if target not in self.stated:
                    yield f"{room}/README.md: `{target}/` is no room"
                elif room not in ABOVE_ALL and target not in self.used[room]:
                    yield f"{room}/README.md: says that it depends on `{target}/`, and includes nothing of it"
        circle = self.circle()
        if circle:
            yield "rooms depend on each other in a circle: " + " -> ".join(circle)

    def arrows(self):
        return sum(len(targets) for targets in self.stated.values())

    def circle(self):
        done, path = set(), []

        def visit(room):
            if room in path:
                return path[path.index(room):] + [room]
            if room in done:
                return None
            path.append(room)
            for target in self.stated.get(room, ()):
                if found := visit(target):
                    return found
            path.pop()
            done.add(room)
            return None

        for room in self.stated:
            if found := visit(room):
                return found
        return None

    def floors(self):
        """Rooms by how many stand below them in the longest chain, from the ground up; on top, who may reach all."""
        level = {}

        def level_of(room):
            if room not in level:
                level[room] = 0  # Ends a circle; check() names it.
                below = [level_of(target) + 1 for target in self.stated[room] if target in self.stated]
                level[room] = max(below, default=0)
            return level[room]

        for room in self.stated:
            level_of(room)
        roof = max(level.values(), default=-1) + 1
        level.update({room: roof for room in self.stated if room in ABOVE_ALL})
        return [[room for room in sorted(self.stated) if level[room] == floor]
                for floor in range(max(level.values(), default=-1) + 1)]
