"""The rooms of the tree, as their README.md files state them. lint.py holds includes to that, architecture.py draws it.

A room is a folder whose README.md says what it may depend on. The longest prefix tells whose room a file is in. Every
folder that holds C++ has to be one; beneath tests/ only tests/support/ is a room of its own. A room's README opens with

    # engine/pricing

    What does a call cost?

and holds one paragraph of this form:

    Depends on: `policies/`, `engine/ledger/log.h`, `<purser/meter.h>`; its tests also on `engine/budget/`.

`engine/ledger/` allows a room's headers, `engine/ledger/log.h` one of them, `<purser/meter.h>` one public header.
"Depends on: nothing of ours." allows nothing. "Depends on: everything of ours." allows every room that does not say
the same. A file *_test.cc may include tests/support/ without a word; other files outside tests/ and bench/ never may.

A table of the README names every file of the folder but tests: `money` for money.h and money.cc, or `money.h`.

Public headers are engine/*.h, included as <purser/x.h>, and what cache/README.md lists after "Public headers:".
"""

import dataclasses
import os
import re

SOURCES = (".cc", ".h", ".inc")
EVERYTHING = "everything of ours"
NOTHING = "nothing of ours"
TESTS_ALSO = "; its tests also on "
CLOSED = "engine/base"
LINE = re.compile(r"^Depends on: (.*?)\.$", re.MULTILINE | re.DOTALL)
PUBLIC_LINE = re.compile(r"^Public headers: (.*?)\.$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"`([\w/.]+/|[\w/]+\.h|<purser/[\w/]+\.h>)`")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


@dataclasses.dataclass
class Room:
    path: str
    question: str
    entries: list  # what its files may include
    test_entries: list  # what its *_test.cc files may include besides
    everything: bool = False
    to: set = dataclasses.field(default_factory=set)  # paths of the rooms that `entries` lead to
    floor: int = 0

    @property
    def readme(self):
        return f"{self.path}/README.md"


@dataclasses.dataclass
class Tree:
    root: str
    files: list
    rooms: dict  # by path
    public: dict  # "engine/meter.h": "<purser/meter.h>"
    problems: list

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def room_of(self, path):
        return self.rooms.get(max((r for r in self.rooms if path.startswith(r + "/")), key=len, default=None))


def parse_entries(text):
    """The entries of a list such as "`policies/`, `<purser/meter.h>`"; None if it is not such a list."""
    parts = [ENTRY.fullmatch(part.strip()) for part in text.split(",")]
    return [part[1] for part in parts] if all(parts) else None


def parse_readme(path, text):
    """The room that README text describes, and what is wrong with it. None: it describes no room."""
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
    lines = [p for p in paragraphs if p.startswith("Depends on:")]
    readme = f"{path}/README.md"
    if not lines:
        return None, []
    problems = []
    if len(lines) > 1:
        problems.append(f'{readme}: more than one paragraph "Depends on:"')
    if paragraphs[0] != f"# {path}":
        problems.append(f'{readme}:1: expected the title "# {path}"')
    question = paragraphs[1] if len(paragraphs) > 1 else ""
    if not question.endswith("?"):
        problems.append(f"{readme}:3: expected the question that the room answers, in a paragraph of its own")
    match = LINE.fullmatch(lines[0])
    stated = match[1] if match else ""
    room = Room(path, question, [], [], everything=stated == EVERYTHING)
    if stated not in (EVERYTHING, NOTHING):
        entries, _, tests = stated.partition(TESTS_ALSO)
        room.entries = [] if entries == NOTHING else parse_entries(entries)
        room.test_entries = parse_entries(tests) if tests else []
        if room.entries is None or room.test_entries is None:
            problems.append(f'{readme}: cannot read "{lines[0]}"; see bazel/rooms.py for the form')
            room.entries, room.test_entries = room.entries or [], room.test_entries or []
    return room, problems


def folders_that_need_a_room(files):
    folders = {os.path.dirname(f) for f in files if f.endswith(SOURCES)}
    inside_tests = {f for f in folders if f.startswith("tests/")}
    return sorted(folders - inside_tests | {f for f in inside_tests if f == "tests/support"}
                  | ({"tests"} if inside_tests else set()))


def load(root, files):
    """Reads every README among `files` (paths from `root`)."""
    tree = Tree(root, files, {}, {}, [])
    for readme in sorted(f for f in files if f.endswith("/README.md")):
        if not os.path.exists(os.path.join(root, readme)):
            continue
        room, problems = parse_readme(os.path.dirname(readme), tree.read(readme))
        tree.problems.extend(problems)
        if room is not None:
            tree.rooms[room.path] = room
    for folder in folders_that_need_a_room(files):
        if folder not in tree.rooms:
            tree.problems.append(f'{folder}/: has no README.md with a paragraph "Depends on: ..."; see bazel/rooms.py')
    find_public_headers(tree)
    for room in tree.rooms.values():
        for entry in room.entries + room.test_entries:
            target = room_of_entry(tree, entry)
            if target is None:
                tree.problems.append(f"{room.readme}: there is no {entry}")
            elif target.path == "tests" or target.path.startswith("tests/") and not is_test_room(room.path):
                tree.problems.append(f"{room.readme}: may not state {entry}; only *_test.cc may include tests/support/")
            elif target is not room and entry in room.entries:
                room.to.add(target.path)
    circle = find_circle(tree.rooms)
    if circle:
        tree.problems.append("rooms depend on each other in a circle: " + " -> ".join(circle))
    else:
        set_floors(tree.rooms)
    return tree


def find_public_headers(tree):
    for path in tree.files:
        if re.fullmatch(r"engine/\w+\.h", path):
            tree.public[path] = f"<purser/{os.path.basename(path)}>"
    if "cache" not in tree.rooms:
        return
    paragraphs = [" ".join(p.split()) for p in tree.read("cache/README.md").split("\n\n")]
    stated = [PUBLIC_LINE.fullmatch(p) for p in paragraphs if p.startswith("Public headers:")]
    names = parse_entries(stated[0][1]) if len(stated) == 1 and stated[0] else None
    if names is None:
        tree.problems.append('cache/README.md: expected one paragraph "Public headers: `<purser/cache/x.h>`, ..."')
        return
    for name in names:
        path = "cache/" + os.path.basename(name[1:-1])
        if name != f"<purser/{path}>" or path not in tree.files:
            tree.problems.append(f"cache/README.md: there is no public header {name}")
        else:
            tree.public[path] = name
    # What tests/public_headers_test.py compiles is what is enforced here.
    build = tree.read("cache/BUILD.bazel") if "cache/BUILD.bazel" in tree.files else ""
    rule = re.search(r'name = "public_headers",\s*srcs = \[(.*?)\]', build, re.DOTALL)
    if rule and {f"<purser/cache/{h}>" for h in re.findall(r'"([^"]+)"', rule[1])} != set(names):
        tree.problems.append("cache/README.md: its public headers are not those of //cache:public_headers")


def is_test_room(path):
    return path in ("bench", "tests") or path.startswith(("bench/", "tests/"))


def room_of_entry(tree, entry):
    """The room that an entry leads to; None if it leads nowhere."""
    if entry.startswith("<"):
        path = next((p for p, name in tree.public.items() if name == entry), None)
        return tree.room_of(path) if path else None
    if entry.endswith("/"):
        return tree.rooms.get(entry[:-1])
    return tree.room_of(entry) if entry in tree.files and entry not in tree.public else None


def find_circle(rooms):
    """A list of paths that ends where it starts, or None."""
    finished, path = set(), []

    def visit(room):
        if room in path:
            return path[path.index(room):] + [room]
        if room in finished:
            return None
        path.append(room)
        for target in sorted(rooms[room].to):
            circle = visit(target)
            if circle:
                return circle
        path.pop()
        finished.add(room)
        return None

    return next(filter(None, map(visit, sorted(rooms))), None)


def set_floors(rooms):
    """A room stands one floor above the highest that it depends on; what depends on everything stands on top."""
    floors = {}

    def floor(path):
        if path not in floors:
            floors[path] = max((floor(target) + 1 for target in rooms[path].to), default=0)
        return floors[path]

    plain = [room for room in rooms.values() if not room.everything]
    for room in plain:
        room.floor = floor(room.path)
    top = max((room.floor for room in plain), default=-1) + 1
    for room in rooms.values():
        if room.everything:
            room.floor = top


def includes(text):
    """(line number, '<' or '"', what is included) of every include."""
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2]


def included_path(tree, target):
    """The path in the tree of an included name, or None for what is not ours. A .pb.h counts as its .proto."""
    if target.startswith("purser/") and target.endswith(".pb.h"):
        return f"policies/{target[len('purser/'):-len('.pb.h')]}.proto"
    if target.startswith("purser/"):
        return next((p for p, name in tree.public.items() if name == f"<{target}>"), target)
    top = target.split("/")[0]
    return target if "/" in target and any(room.split("/")[0] == top for room in tree.rooms) else None


def entry_for(tree, path):
    """How a README states that it includes `path`."""
    return tree.public.get(path) or tree.room_of(path).path + "/"


def check(tree):
    """Every problem of the tree: what load() found, and every include that no README states, or the other way round."""
    problems = list(tree.problems)
    used = {path: set() for path in tree.rooms}
    used_by_tests = {path: set() for path in tree.rooms}
    for path in tree.files:
        if path.endswith(SOURCES) and os.path.exists(os.path.join(tree.root, path)) and tree.room_of(path):
            problems.extend(check_file(tree, path, used, used_by_tests))
    for room in tree.rooms.values():
        for entry in room.entries:
            if entry in used[room.path]:
                continue
            only = "only its tests include it" if entry in used_by_tests[room.path] else "nothing includes it"
            problems.append(f"{room.readme}: states {entry}, but {only}")
        for entry in room.test_entries:
            if entry not in used_by_tests[room.path]:
                problems.append(f"{room.readme}: states {entry} for its tests, but no test needs it")
    problems.extend(check_top_of_engine(tree))
    problems.extend(check_units(tree))
    return problems


def check_file(tree, path, used, used_by_tests):
    room = tree.room_of(path)
    is_test = path.endswith("_test.cc")
    for number, quote, target in includes(tree.read(path)):
        where = f"{path}:{number}"
        if path in tree.public:
            yield from check_public_include(tree, where, quote, target)
        included = included_path(tree, target)
        if included is None:
            if os.path.join(os.path.dirname(path), target) in tree.files:
                yield f"{where}: write {target} from the root of the tree"
            continue
        if included not in tree.files and not is_generated(tree, included):
            yield f"{where}: there is no {target}"
            continue
        if included in tree.public and f"{quote}{target}>" != tree.public[included]:
            yield f"{where}: {target} is public; include it as {tree.public[included]}"
        to = tree.room_of(included)
        if to is None or to is room:
            continue
        if to.path.startswith("tests") and not is_test_room(room.path):
            if not is_test or to.path != "tests/support":
                yield f"{where}: only *_test.cc may include from tests/, and only from tests/support/"
            continue
        if room.everything:
            if to.everything and not is_test_room(room.path):
                yield f"{where}: {to.path}/ depends on {EVERYTHING}; only tests may depend on it"
            continue
        if not allowed(tree, room, included, is_test, used, used_by_tests):
            yield f"{where}: {room.readme} does not state {entry_for(tree, included)} ({target})"


def allowed(tree, room, included, is_test, used, used_by_tests):
    """Whether an entry allows the include; notes the entry as used."""
    ways = (tree.public[included],) if included in tree.public else (included, tree.room_of(included).path + "/")
    for way in ways:
        if way in room.entries:
            (used_by_tests if is_test else used)[room.path].add(way)
            return True
        if is_test and way in room.test_entries:
            used_by_tests[room.path].add(way)
            return True
    return False


def check_public_include(tree, where, quote, target):
    standard = quote == "<" and re.fullmatch(r"[a-z_0-9]+", target)
    if not standard and not target.startswith("absl/") and f"<{target}>" not in tree.public.values():
        yield f"{where}: a public header includes {target}, which is not public, std or absl"


def check_top_of_engine(tree):
    for path in tree.files:
        if re.fullmatch(r"engine/[^/]+", path) and path not in tree.public and path not in (
                "engine/README.md", "engine/BUILD.bazel"):
            yield f"{path}: the top of engine/ holds public headers, README.md and BUILD.bazel only"


def is_generated(tree, path):
    """Whether a rule of the folder's BUILD.bazel makes the file."""
    folder, name = os.path.split(path)
    build = f"{folder}/BUILD.bazel"
    return build in tree.files and f'"{os.path.splitext(name)[0]}"' in tree.read(build)


def check_units(tree):
    """A room's table names, in its first column, every file that stands in the room's folder, and no other."""
    for room in tree.rooms.values():
        files = {os.path.basename(f) for f in tree.files if os.path.dirname(f) == room.path}
        rows = re.findall(r"^\| *(`[^|]*?) *\|", tree.read(room.readme), re.MULTILINE)
        named = set()
        for name in re.findall(r"`([\w./]+)`", " ".join(rows)):
            # `money` stands for money.h and money.cc, `money.h` for itself, `prices/` for a folder.
            meant = {f for f in files if name in (f, os.path.splitext(f)[0])}
            if not meant and not any(f.startswith(f"{room.path}/{name}") for f in tree.files):
                yield f"{room.readme}: names {name}, which does not exist"
            named |= meant
        closed = "; that list is closed, and an addition needs its reason there" if room.path == CLOSED else ""
        for name in sorted(files - named):
            if name.endswith(SOURCES) and not name.endswith("_test.cc"):
                yield f"{room.path}/{name}: the table in {room.readme} does not name it{closed}"
