"""Prints C++ that documentation shows, for a test to include.

extract_example.py README.md   the page's first C++ example
extract_example.py HEADER.h    the code of a header's tutorial: comment lines that are indented by five spaces
"""

import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
if sys.argv[1].endswith(".h"):
    code = "".join(line + "\n" for line in re.findall(r"^//     (.*)$", text, re.M))
else:
    example = re.search(r"```cpp\n(.*?)```", text, re.S)
    code = example[1] if example else ""
if not code:
    sys.exit(f"{sys.argv[1]}: no C++ example")
print(code)
