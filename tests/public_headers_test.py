"""An embedder needs the public headers and nothing else of ours: public_headers_test.py HEADER ...

Lays the headers out as they are installed, compiles a program against that tree alone and asks the compiler which files
it opened (g++ -M), and which macros they leave behind. Each header must also compile by itself.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """
#include <purser/purser.h>
int main() {
  purser::Options options;
  auto engine = purser::Engine::Open(options);
  purser::Decision decision;
  purser::Request request;
  (*engine)->Decide(request, &decision);
  return (*engine)->MarkDispatched(decision.ticket) ? 0 : 1;
}
"""


def install(headers, tree):
    """Copies engine/x.h to <tree>/purser/x.h and cache/x.h to <tree>/purser/cache/x.h; returns their include names."""
    names = []
    for header in headers:
        folder, name = os.path.split(header)
        below = "purser/cache" if os.path.basename(folder) == "cache" else "purser"
        os.makedirs(os.path.join(tree, below), exist_ok=True)
        shutil.copy(header, os.path.join(tree, below, name))
        names.append(f"{below}/{name}")
    return names


def compiler(tree, *arguments, text):
    result = subprocess.run(["g++", "-std=c++20", "-I", tree, "-x", "c++", *arguments, "-"], input=text, text=True,
                            capture_output=True, check=False, cwd=tree)
    if result.returncode != 0:
        sys.exit(f"does not compile against the public headers alone:\n{text}\n{result.stderr}")
    return result.stdout


def main():
    with tempfile.TemporaryDirectory() as tree:
        names = install(sys.argv[1:], tree)
        everything = "".join(f"#include <{name}>\n" for name in names) + PROGRAM
        opened = compiler(tree, "-M", text=everything).replace("\\\n", " ").split()[1:]
        strangers = [path for path in opened if path != "-" and not os.path.realpath(path).startswith(
            (os.path.realpath(tree) + "/", "/usr/"))]
        if strangers:
            sys.exit(f"the public headers open files that are not theirs: {strangers}")
        for name in names:
            compiler(tree, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", text=f"#include <{name}>\n")
        macros = re.findall(r"#define (PURSER_\w+)", compiler(tree, "-dM", "-E", text=everything))
        leaks = [macro for macro in macros if not macro.endswith("_H_")]
        if leaks:
            sys.exit(f"the public headers leave macros behind: {leaks}")
        print(f"{len(names)} public headers open nothing else of ours and leave no macro behind")


if __name__ == "__main__":
    main()
