"""embed.py NAMESPACE INCLUDE_PATH OUT NAME=FILE ...: writes OUT.h and OUT.cc, a string_view per file."""

import re
import sys


def literal(data):
    """`data` as C++ string literals, a line of the file each; split so that none passes the standard's 64 KiB."""
    out = []
    for start in range(0, len(data), 4096):
        chunk = data[start:start + 4096]
        text = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in chunk)
        out.append(f'    "{text}"')
    return "\n".join(out) or '    ""'


def main():
    namespace, include, out = sys.argv[1:4]
    guard = re.sub(r"[^A-Z0-9]", "_", f"purser/{include}.h".upper()) + "_"
    header = [f"#ifndef {guard}", f"#define {guard}", "", "#include <string_view>", "", f"namespace {namespace} {{", ""]
    source = [f'#include "{include}.h"', "", f"namespace {namespace} {{", ""]
    for argument in sys.argv[4:]:
        name, path = argument.split("=", 1)
        with open(path, "rb") as file:
            data = file.read()
        header.append(f"extern const std::string_view {name};")
        source.append(f"const std::string_view {name}(\n{literal(data)},\n    {len(data)});\n")
    header += ["", f"}}  // namespace {namespace}", "", f"#endif  // {guard}", ""]
    source += [f"}}  // namespace {namespace}", ""]
    for suffix, lines in ((".h", header), (".cc", source)):
        with open(out + suffix, "w", encoding="ascii") as file:
            file.write("\n".join(lines))


if __name__ == "__main__":
    main()
