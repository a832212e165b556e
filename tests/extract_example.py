"""Prints the README's first C++ example: extract_example.py README.md"""

import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    example = re.search(r"```cpp\n(.*?)```", file.read(), re.S)
if example is None:
    sys.exit(f"{sys.argv[1]}: no C++ example")
print(example[1])
