"""Lists what is declared and does nothing: fields of our protobuf files and public structs that no production code
writes, or that none reads. `./dev lint` runs it; `--where NAME` shows the reads and writes that it sees of a field.

  What people write   A policy's, price book's, trace's ... field needs a reader. Code that only validates (check*.cc,
                      lint.cc) is none.
  What is stored      A field of record.proto (as the views of record.h hold it) and of snapshot.proto needs a writer
                      and a reader; a value of their enums needs a writer. The codec (what has a FieldsOf) is neither.
  The public face     In the public headers a field that the caller fills needs a reader, one that the engine fills
                      a writer; a value of the enums that it answers with needs a writer.

What is named after a dimension of a request (a row of dimensions.h) and belongs to a message whose fields code looks up
by such names (X::descriptor()->FindFieldByName) counts as read; that it is, a test per dimension shows.

Production code is every .cc, .h and .inc that git knows, without tests/, bench/ and what only testonly targets have.
Setting a field to zero, false or null is not a write: that is how answers are cleared. How precisely code is read, and
what may be missed: see field_uses.py.
"""

import argparse
import os
import re
import subprocess
import sys

import cpp_source
import field_uses

# Declared and doing nothing all the same, and why. What has come to life must leave the list: the check says so.
LATER = "not written yet: the issues on promises and providers make it true"
FOR_PEOPLE = "for people who read the file"
FOR_AUDIT = "for whoever asks a ledger why, with any protobuf reader; no command of ours shows it"
EXCEPTIONS = {
    "Outcome.TIMED_OUT": LATER,
    "RecordView.meters": LATER,
    "MeterCountView.meter": LATER,
    "MeterCountView.quantity": LATER,
    "RecordView.quality": LATER,
    "RecordView.saved_prompt_cache_nanos": LATER,
    "RecordView.saved_clamp_nanos": LATER,
    "AdjustedView.ticket": "reports and SQLite take corrections of one call; `purser reconcile` books only whole days",
    "ToppedUpView.reason": FOR_AUDIT,
    "PolicyLoadedView.name": FOR_AUDIT,
    "PolicyLoadedView.price_revision": FOR_AUDIT,
    "PolicyLoadedView.time_nanos": FOR_AUDIT,
    "PolicyLoadedView.purser_version": FOR_AUDIT,
    "Policy.description": FOR_PEOPLE,
    "Budget.description": FOR_PEOPLE,
    "LearnedScorer.fitted_on": FOR_PEOPLE,
    "Source.licence": FOR_PEOPLE,
    "Provider.name": FOR_PEOPLE,
    "Provider.pricing_urls": FOR_PEOPLE,
    "Model.comment": FOR_PEOPLE,
    "Model.deprecated_on": FOR_PEOPLE,
    "Sheet.comment": FOR_PEOPLE,
}

STORED = {"record.proto", "snapshot.proto"}
VIEWS = "record.h"  # Wherever the views of record.proto's messages are declared.
PUBLIC_HEADERS = {"purser.h", "request.h", "options.h", "policy_source.h", "decision.h", "settlement.h", "explanation.h"}
FILLED_BY_CALLER = {"Options", "PolicySource", "ExtraCost", "CallResult", "CacheableAnswer", "Request", "Message"}
ANSWERED_WITH = {"Action", "Refusal", "SettleResult"}
VALIDATES = re.compile(r"(^|_)(check|lint)(_|\.)")


def tracked_files():
    return [f for f in subprocess.check_output(["git", "ls-files"], text=True).split("\n")[:-1] if os.path.exists(f)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def only_for_tests(paths):
    """The sources that BUILD files name in test and testonly targets, and in no other."""
    for_tests, for_production = set(), set()
    for path in paths:
        if os.path.basename(path) not in ("BUILD", "BUILD.bazel"):
            continue
        for rule in re.split(r"\n(?=\S)", read(path)):
            sources = {os.path.join(os.path.dirname(path), s) for s in re.findall(r'"([\w./-]+\.(?:cc|h|inc))"', rule)}
            is_test = re.match(r"cc_test\(", rule) or re.search(r"testonly = True", rule)
            (for_tests if is_test else for_production).update(sources)
    return for_tests - for_production


def is_production(path):
    folders = path.split("/")[:-1]
    return not ({"tests", "bench"} & set(folders) or re.search(r"_(test|fixture)\.(cc|h)$", path))


def structs_of(path, text):
    """The structs of a header, with the fields that they declare."""
    file = cpp_source.SourceFile(path, text)
    uses = field_uses.Uses({}, {}, [(path, text)])
    found = {}
    for name in file.classes:
        members = [m for m in uses.members.get(name, {}) if (name, m) not in uses.methods]
        if re.search(r"\bstruct\s+" + name.split("::")[-1] + r"\s*[:{]", text) and members:
            found[name] = cpp_source.Message(name, False)
            found[name].fields = dict.fromkeys(members, "")
    return found


def enums_of(text, namespace):
    """The scoped enums of a header."""
    text = re.sub(r"//[^\n]*", "", text)
    return {namespace + "::" + m[1]: re.findall(r"\b(k\w+)", m[2])
            for m in re.finditer(r"enum class (\w+)[^{;]*\{([^}]*)\}", text)}


class Check:
    def __init__(self, paths, contents):
        """`contents`: the text of each of `paths`, which are those of production code and .proto files."""
        self.messages, self.enums, self.origin = {}, {}, {}
        for path in paths:
            base = os.path.basename(path)
            if path.endswith(".proto"):
                messages, enums = cpp_source.proto_declarations(contents[path])
            elif base in PUBLIC_HEADERS:
                messages, enums = structs_of(path, contents[path]), enums_of(contents[path], "purser")
            elif path.endswith(".h") and re.search(r"\bstruct RecordView\b", contents[path]):
                structs = structs_of(path, contents[path])
                messages, enums = {name: m for name, m in structs.items() if name.endswith("View")}, {}
                base = VIEWS
            else:
                continue
            self.messages.update(messages)
            self.enums.update(enums)
            self.origin.update({name: base for name in [*messages, *enums]})
        sources = [(p, contents[p]) for p in paths
                   if p.endswith((".cc", ".h", ".inc")) and not re.search(r"\bFieldsOf\b", contents[p])]
        self.uses = field_uses.Uses(self.messages, self.enums, sources)

        self.read_by_name = {message for _, text in sources for message in
                             re.findall(r"\b(\w+)::descriptor\(\)\s*->\s*FindFieldByName\(", text)}
        rows = [row for path in paths if os.path.basename(path) == "dimensions.h"
                for row in re.findall(r'\{\.name = "(\w+)"', contents[path])]
        self.dimensions = {*rows, "provider", "model"}  # A budget's scope has two more.

    def is_read_by_name(self, message, field):
        return message.split("::")[-1] in self.read_by_name and (
            field in self.dimensions or field.removesuffix("s") in self.dimensions)

    def is_declared(self, view, field):
        return any(field in self.uses.members.get(owner, {}) for owner in [view, *self.uses.bases.get(view, [])])

    def places(self, table, message, field):
        found = list(table.get((message, field), []))
        if self.origin[message] == VIEWS:  # The message that the view is of.
            found += [p for p in table.get((message.removesuffix("View"), field), []) if p[2]]
        return found

    def readers(self, message, field, without_validation):
        found = self.places(self.uses.reads, message, field)
        return [p for p in found if not (without_validation and VALIDATES.search(os.path.basename(p[0])))]

    def short(self, name):
        last = name.split("::")[-1]
        same = [n for n in [*self.messages, *self.enums] if n.split("::")[-1] == last]
        return last if len(same) == 1 else ".".join(name.split("::")[-2:])

    def dead(self):
        """(name, what is missing, where it is declared) of everything that does nothing."""
        for name, message in self.messages.items():
            base = self.origin[name]
            stored = base in STORED or base == VIEWS
            if base == "record.proto":
                for field in message.fields:
                    if not self.is_declared(name + "View", field):
                        yield f"{self.short(name)}.{field}", "has no field in record.h", base
                continue
            for field in message.fields:
                missing = []
                answers = base in PUBLIC_HEADERS and name.split("::")[-1] not in FILLED_BY_CALLER
                if (stored or answers) and not self.places(self.uses.writes, name, field):
                    missing.append("nothing writes it")
                if (not answers and not self.is_read_by_name(name, field) and
                        not self.readers(name, field, without_validation=not stored)):
                    missing.append("nothing reads it")
                if missing:
                    yield f"{self.short(name)}.{field}", ", ".join(missing), base
        for name, values in self.enums.items():
            base = self.origin[name]
            if base not in STORED and not (base in PUBLIC_HEADERS and name.split("::")[-1] in ANSWERED_WITH):
                continue
            for value in values[1:]:  # The first is the default, which nobody needs to write.
                if not self.uses.enum_writes(name, value, scoped=base in PUBLIC_HEADERS):
                    yield f"{self.short(name)}.{value}", "nothing writes it", base


def load():
    tracked = tracked_files()
    test_only = only_for_tests(tracked)
    paths = [p for p in tracked if is_production(p) and p not in test_only and
             p.endswith((".cc", ".h", ".inc", ".proto"))]
    return Check(paths, {p: read(p) for p in paths})


def problems(check, exceptions):
    dead = {name: (missing, base) for name, missing, base in check.dead()}
    for name, (missing, base) in dead.items():
        if name not in exceptions:
            yield f"{base}: {name}: {missing}"
    declared = {name.split("::")[-1] for name, base in check.origin.items() if base in PUBLIC_HEADERS}
    for name in sorted((FILLED_BY_CALLER | ANSWERED_WITH) - declared):
        yield f"bazel/check_fields.py: the public headers that it names declare no {name}; tell it the new name or file"
    for name in exceptions:
        if name not in dead:
            yield f"bazel/check_fields.py: {name} is used, or gone: take it off the list of exceptions"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--where", metavar="NAME", help="show the reads and writes of fields of this name")
    arguments = parser.parse_args()
    check = load()
    if arguments.where:
        for (table, what) in ((check.uses.reads, "read"), (check.uses.writes, "written")):
            for (message, field), places in sorted(table.items()):
                if field == arguments.where:
                    for path, line, certain in places:
                        print(f"{message}.{field} {what} {path}:{line}{'' if certain else ' (by its name alone)'}")
        return 0
    found = list(problems(check, EXCEPTIONS))
    for problem in found:
        print(problem)
    fields = sum(len(m.fields) for m in check.messages.values())
    print(f"check_fields: {fields} fields of {len(check.messages)} messages and structs, {len(EXCEPTIONS)} exceptions, "
          f"{len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
