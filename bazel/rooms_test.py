"""Breaks arrows in a small planted tree and expects the lint, the README and the architecture page to disagree."""

import os
import subprocess
import tempfile
import unittest

import architecture
import rooms

FILES = {
    "policies/README.md": "# policies\n\nThe language.\n\nDepends on: nothing of ours.\n",
    "policies/check.h": "#include <string>\n",
    "engine/pricing/README.md": "# engine/pricing\n\nWhat does it cost?\n\nDepends on: `policies/`.\n",
    "engine/pricing/cost.cc": "#include \"policies/check.h\"\n#include <purser/usage.h>\n",
    "engine/calls/README.md": "# engine/calls\n\nOne call's life.\n\nDepends on: `engine/pricing/`.\n",
    "engine/calls/settle.h": "#include \"engine/pricing/cost.h\"\n",
}


class RoomsTest(unittest.TestCase):
    def rooms_of(self, changed):
        tree = tempfile.TemporaryDirectory()
        self.addCleanup(tree.cleanup)
        for path, text in {**FILES, **changed}.items():
            os.makedirs(os.path.join(tree.name, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(tree.name, path), "w", encoding="utf-8") as file:
                file.write(text)
        subprocess.run(["git", "init", "-q"], cwd=tree.name, check=True)
        subprocess.run(["git", "add", "."], cwd=tree.name, check=True)
        return rooms.Rooms(rooms.Tree(tree.name))

    def problems(self, changed):
        return list(self.rooms_of(changed).check())

    def test_what_is_stated_and_used_is_fine(self):
        self.assertEqual(self.problems({}), [])
        self.assertEqual(self.rooms_of({}).floors(), [["policies"], ["engine/pricing"], ["engine/calls"]])

    def test_an_include_that_no_readme_states(self):
        self.assertEqual(self.problems({"engine/pricing/quote.cc": "#include \"engine/calls/settle.h\"\n"}),
                         ["engine/pricing/quote.cc:1: engine/pricing/README.md does not let it include "
                          "engine/calls/settle.h"])

    def test_stating_it_closes_a_circle_and_changes_the_page(self):
        broken = {"engine/pricing/quote.cc": "#include \"engine/calls/settle.h\"\n",
                  "engine/pricing/README.md": FILES["engine/pricing/README.md"].replace(
                      "`policies/`", "`policies/`, `engine/calls/`")}
        self.assertEqual(self.problems(broken), ["rooms depend on each other in a circle: "
                                                 "engine/calls -> engine/pricing -> engine/calls"])
        self.assertNotEqual(architecture.page(self.rooms_of(broken)), architecture.page(self.rooms_of({})))

    def test_a_statement_that_nothing_uses(self):
        self.assertEqual(self.problems({"engine/pricing/cost.cc": "#include <string>\n"}),
                         ["engine/pricing/README.md: says that it depends on `policies/`, and includes nothing of it"])

    def test_generated_headers_and_tests(self):
        self.assertEqual(self.problems({"engine/calls/a.cc": "#include \"purser/policy.pb.h\"\n"}),
                         ["engine/calls/a.cc:1: engine/calls/README.md does not let it include purser/policy.pb.h"])
        self.assertEqual(self.problems({"engine/calls/a_test.cc": "#include \"policies/check.h\"\n"}), [])
        self.assertEqual(self.problems({"tests/README.md": "# tests\n\nq\n\nDepends on: everything of ours.\n",
                                        "tests/support/x.h": "", "engine/calls/b.cc":
                                        "#include \"tests/support/x.h\"\n"}),
                         ["engine/calls/b.cc:1: only tests may include tests/support/x.h",
                          "engine/calls/b.cc:1: engine/calls/README.md does not let it include tests/support/x.h"])

    def test_a_file_outside_of_every_room(self):
        self.assertEqual(self.problems({"engine/lost/x.cc": "\n"}),
                         ["engine/lost/x.cc: stands in no room; its folder's README needs a line \"Depends on: ...\""])


if __name__ == "__main__":
    unittest.main()
