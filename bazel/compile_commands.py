"""Writes compile_commands.json from Bazel's own actions, for clangd and clang-tidy."""

import json
import os
import subprocess

PRELUDES = ("bazel/prelude/prelude.h", "bazel/test_prelude/test_prelude.h")


def main():
    actions = json.loads(subprocess.check_output(
        ["bazel", "aquery", 'mnemonic("CppCompile", //...)', "--output=jsonproto"], stderr=subprocess.DEVNULL))
    commands = []
    for action in actions["actions"]:
        arguments = action["arguments"]
        for prelude in PRELUDES:  # Parsed for g++ only: clang refuses what it finds beside them.
            if prelude in arguments:
                at = arguments.index(prelude)
                del arguments[at - 1:at + 1]
        sources = [a for a in arguments if a.endswith((".cc", ".cpp"))]
        if sources:
            commands.append({"directory": os.getcwd(), "file": sources[0], "arguments": arguments})
    with open("compile_commands.json", "w", encoding="utf-8") as file:
        json.dump(commands, file, indent=1)
    print(f"compile_commands.json: {len(commands)} files")


if __name__ == "__main__":
    main()
