"""Plants a small tree, breaks it, and expects lint, the READMEs and the architecture page to notice together."""

import os
import tempfile
import unittest

import architecture
import rooms

README = """# {path}

{question}

| unit | what it does |
|---|---|
{table}

Depends on: {stated}.
"""
PAGE = f"# Architecture\n\n{architecture.BEGIN}\n{architecture.END}\n"


def readme(path, question, names, stated):
    return README.format(path=path, question=question, stated=stated, table="\n".join(f"| `{n}` | |" for n in names))


def planted():
    """A tree that nothing is wrong with."""
    return {
        "policies/README.md": readme("policies", "What can a policy say?", ["policy.proto", "amount"],
                                     "nothing of ours"),
        "policies/policy.proto": "",
        "policies/amount.h": "#include <string>\n",
        "cache/README.md": readme("cache", "Has this been answered?", ["cache.h", "graph.h"], "nothing of ours")
        + "\nPublic headers: `<purser/cache/cache.h>`.\n",
        "cache/cache.h": '#include <string>\n#include "absl/status/status.h"\n',
        "cache/graph.h": "#include <purser/cache/cache.h>\n",
        "engine/README.md": readme("engine", "What is public?", ["purser.h", "usage.h"], "`<purser/cache/cache.h>`"),
        "engine/BUILD.bazel": "",
        "engine/purser.h": "#include <purser/cache/cache.h>\n#include <purser/usage.h>\n",
        "engine/usage.h": "#include <cstdint>\n",
        "engine/base/README.md": readme("engine/base", "What do all need?", ["lock.h"], "nothing of ours"),
        "engine/base/lock.h": "#include <atomic>\n",
        "engine/pricing/README.md": readme("engine/pricing", "What does it cost?", ["price"],
                                           "`policies/`, `<purser/usage.h>`"),
        "engine/pricing/price.h": '#include <purser/usage.h>\n#include "purser/policy.pb.h"\n',
        "engine/pricing/price.cc": '#include "engine/pricing/price.h"\n#include "policies/amount.h"\n',
        "engine/pricing/price_test.cc": '#include "tests/support/prices.h"\n',
        "engine/calls/README.md": readme("engine/calls", "What happens in a call?", ["decide"],
                                         "`engine/base/lock.h`, `engine/pricing/`, `<purser/purser.h>`; its tests also "
                                         "on `policies/`"),
        "engine/calls/decide.h": '#include <purser/purser.h>\n#include "engine/base/lock.h"\n',
        "engine/calls/decide.cc": '#include "engine/calls/decide.h"\n#include "engine/pricing/price.h"\n',
        "engine/calls/decide_test.cc": '#include "policies/amount.h"\n',
        "engine/cli/README.md": readme("engine/cli", "What can people ask?", ["main.cc"], "everything of ours"),
        "engine/cli/main.cc": '#include "engine/calls/decide.h"\n',
        "tests/README.md": readme("tests", "Does it hold across rooms?", ["support/"], "everything of ours"),
        "tests/sim/sim_test.cc": '#include "engine/calls/decide.h"\n#include "tests/support/prices.h"\n',
        "tests/support/README.md": readme("tests/support", "What do tests share?", ["prices.h"], "`engine/pricing/`"),
        "tests/support/prices.h": '#include "engine/pricing/price.h"\n',
        "docs/architecture.md": PAGE,
    }


class RoomsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.files = {}
        for path, text in planted().items():
            self.put(path, text)
        architecture.write(self.tree())
        self.files |= {path: self.get(path) for path in (architecture.PAGE, architecture.PICTURE)}

    def put(self, path, text):
        whole = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)
        self.files[path] = text

    def get(self, path):
        with open(os.path.join(self.folder.name, path), encoding="utf-8") as file:
            return file.read()

    def add(self, path, text):
        self.put(path, self.files.get(path, "") + text)

    def replace(self, path, old, new):
        self.assertIn(old, self.files[path])
        self.put(path, self.files[path].replace(old, new))

    def remove(self, path):
        os.remove(os.path.join(self.folder.name, path))
        del self.files[path]

    def tree(self):
        return rooms.load(self.folder.name, sorted(self.files))

    def problems(self):
        return rooms.check(self.tree())

    def stale(self):
        return list(architecture.check(self.tree()))

    def expect(self, *parts):
        """Exactly one problem, and it says all of these."""
        problems = self.problems()
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_nothing_is_wrong_with_the_planted_tree(self):
        self.assertEqual(self.problems() + self.stale(), [])

    def test_one_broken_arrow_shows_in_lint_in_the_readme_and_on_the_page(self):
        page, picture = self.get(architecture.PAGE), self.get(architecture.PICTURE)
        # Pricing includes what stands above it: lint names the line, and the README that does not state it.
        self.add("engine/pricing/price.h", '#include "engine/calls/decide.h"\n')
        self.expect("engine/pricing/price.h:3", "engine/pricing/README.md does not state engine/calls/")
        # Once the README states it, lint prints the circle, and neither page nor picture is up to date.
        self.replace("engine/pricing/README.md", "`policies/`,", "`policies/`, `engine/calls/`,")
        self.expect("engine/calls -> engine/pricing -> engine/calls")
        self.assertEqual([p.split(":")[0] for p in self.stale()], [architecture.PAGE, architecture.PICTURE])
        # Turned round in the other README, too, the arrow is legal; both drawings change with it.
        self.replace("engine/calls/README.md", "`engine/pricing/`, ", "")
        self.replace("engine/calls/decide.cc", '#include "engine/pricing/price.h"\n', "")
        self.assertEqual(self.problems(), [])
        self.assertEqual(len(self.stale()), 2)
        architecture.write(self.tree())
        self.assertEqual(self.stale(), [])
        self.assertNotEqual(self.get(architecture.PAGE), page)
        self.assertNotEqual(self.get(architecture.PICTURE), picture)

    def test_a_stated_arrow_that_nothing_uses_is_stale(self):
        self.replace("engine/calls/decide.cc", '#include "engine/pricing/price.h"\n', "")
        self.expect("engine/calls/README.md: states engine/pricing/, but nothing includes it")

    def test_an_arrow_that_only_tests_use_is_stated_as_such(self):
        self.replace("engine/calls/decide.cc", '#include "engine/pricing/price.h"\n', "")
        self.add("engine/calls/decide_test.cc", '#include "engine/pricing/price.h"\n')
        self.expect("engine/calls/README.md: states engine/pricing/, but only its tests include it")

    def test_an_arrow_for_tests_allows_production_code_nothing(self):
        self.add("engine/calls/decide.cc", '#include "policies/amount.h"\n')
        self.expect("engine/calls/decide.cc:3", "does not state policies/")

    def test_a_test_arrow_that_no_test_needs_is_stale(self):
        self.put("engine/calls/decide_test.cc", "")
        self.expect("states policies/ for its tests, but no test needs it")

    def test_one_header_of_a_room_allows_no_other(self):
        self.put("engine/base/more.h", "")
        self.replace("engine/base/README.md", "| `lock.h` | |", "| `lock.h`, `more.h` | |")
        self.add("engine/calls/decide.h", '#include "engine/base/more.h"\n')
        self.expect("engine/calls/decide.h:3", "does not state engine/base/")

    def test_a_file_that_the_table_does_not_name(self):
        self.put("engine/base/more.h", "")
        self.expect("engine/base/more.h", "that list is closed")
        self.remove("engine/base/more.h")
        self.put("engine/pricing/more.cc", "")
        self.expect("engine/pricing/more.cc", "does not name it")

    def test_a_table_that_names_what_does_not_exist(self):
        self.replace("engine/base/README.md", "| `lock.h` | |", "| `lock.h`, `gone.h` | |")
        self.expect("engine/base/README.md: names gone.h")

    def test_a_folder_without_a_readme_or_without_its_line(self):
        self.put("engine/budget/account.cc", "")
        self.expect("engine/budget/: has no README.md with a paragraph")
        self.put("engine/budget/README.md", "# engine/budget\n\nWhat may be spent?\n")
        self.expect("engine/budget/: has no README.md with a paragraph")

    def test_a_line_that_cannot_be_read_or_stands_twice(self):
        self.replace("engine/calls/README.md", "`engine/pricing/`", "engine/pricing")
        self.assertTrue(any("cannot read" in p for p in self.problems()))
        self.put("engine/calls/README.md", planted()["engine/calls/README.md"] + "\nDepends on: nothing of ours.\n")
        self.expect("more than one paragraph")

    def test_a_readme_without_title_or_question(self):
        self.replace("policies/README.md", "# policies", "# The policies")
        self.expect('expected the title "# policies"')
        self.put("policies/README.md", planted()["policies/README.md"].replace("say?", "say."))
        self.expect("expected the question")

    def test_an_arrow_to_nowhere(self):
        self.replace("engine/calls/README.md", "`engine/pricing/`", "`engine/pricing/`, `engine/prices/`")
        self.assertIn("engine/calls/README.md: there is no engine/prices/", self.problems())

    def test_production_code_may_not_include_tests(self):
        self.add("engine/cli/main.cc", '#include "tests/support/prices.h"\n')
        self.expect("engine/cli/main.cc:2: only *_test.cc may include from tests/")
        self.put("engine/cli/main.cc", "")
        self.put("tests/sim/sim.h", "")
        self.add("engine/pricing/price_test.cc", '#include "tests/sim/sim.h"\n')
        self.expect("engine/pricing/price_test.cc:2", "only from tests/support/")

    def test_only_tests_depend_on_what_depends_on_everything(self):
        self.put("engine/cli/main.h", "")
        self.replace("engine/cli/README.md", "`main.cc`", "`main`")
        self.add("tests/sim/sim_test.cc", '#include "engine/cli/main.h"\n')
        self.assertEqual(self.problems(), [])
        self.add("engine/pricing/price.cc", '#include "engine/cli/main.h"\n')
        self.expect("engine/pricing/price.cc", "does not state")

    def test_public_headers_include_public_headers_only(self):
        for line in ('"engine/base/lock.h"', '"purser/policy.pb.h"', '"re2/re2.h"', "<unistd.h>"):
            self.put("engine/usage.h", f"#include {line}\n")
            problems = self.problems()
            self.assertTrue(any("engine/usage.h:1: a public header includes" in p for p in problems), problems)

    def test_public_headers_have_one_name(self):
        self.replace("engine/pricing/price.h", "<purser/usage.h>", '"engine/usage.h"')
        self.expect("engine/pricing/price.h:1", "include it as <purser/usage.h>")
        self.replace("engine/pricing/price.h", '"engine/usage.h"', '"purser/usage.h"')
        self.expect("include it as <purser/usage.h>")

    def test_public_headers_are_those_that_are_compiled_by_themselves(self):
        self.put("cache/BUILD.bazel", 'filegroup(\n    name = "public_headers",\n    srcs = ["cache.h", "graph.h"],\n)\n')
        self.expect("cache/README.md: its public headers are not those of //cache:public_headers")

    def test_only_public_headers_stand_at_the_top_of_engine(self):
        self.put("engine/settle.cc", "")
        self.replace("engine/README.md", "`usage.h`", "`usage.h`, `settle.cc`")
        self.expect("engine/settle.cc: the top of engine/")

    def test_includes_are_written_from_the_root_and_exist(self):
        self.replace("engine/calls/decide.cc", '"engine/calls/decide.h"', '"decide.h"')
        self.expect("engine/calls/decide.cc:1: write decide.h from the root")
        self.replace("engine/calls/decide.cc", '"decide.h"', '"engine/decide.h"')
        self.expect("engine/calls/decide.cc:1: there is no engine/decide.h")

    def test_a_generated_header_exists_if_a_rule_makes_it(self):
        self.add("engine/calls/decide.cc", '#include "engine/calls/embedded.h"\n')
        self.put("engine/calls/BUILD.bazel", 'embed_files(name = "embedded")\n')
        self.assertEqual(self.problems(), [])

    def test_floors(self):
        tree = self.tree()
        floors = {path: room.floor for path, room in tree.rooms.items()}
        self.assertEqual(floors, {"policies": 0, "cache": 0, "engine/base": 0, "engine": 1, "engine/pricing": 2,
                                  "engine/calls": 3, "tests/support": 3, "engine/cli": 4, "tests": 4})


if __name__ == "__main__":
    unittest.main(verbosity=0)
