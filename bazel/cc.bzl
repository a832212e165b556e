"""C++ targets whose files start with a header that is already parsed, except where that costs speed.

A file still includes whatever it uses. `--define=prelude=off` compiles without; `./dev tsan` does, and finds what is
missing.
"""

# Behind a header that is already parsed g++ 12 warns of its own std::string as if it were ours. Without the prelude
# these warnings are on.
_NOT_OURS = ["-Wno-array-bounds", "-Wno-stringop-overflow"]

# g++ 12 optimises a file as it optimised the header that the file starts with: what .bazelrc compiles with -O3 does
# without.
_OPTIMISED = ["cache"] + ["engine/" + room for room in ["budget", "calls", "estimates", "ledger", "pricing", "routing"]]

_PRELUDE = "//bazel:prelude"
_TEST_PRELUDE = "//bazel:test_prelude"

def _with_prelude(prelude, attributes):
    attributes = dict(attributes)
    optimised = prelude == _PRELUDE and native.package_name() in _OPTIMISED
    if not attributes.get("srcs") or optimised:
        return attributes
    path = prelude[2:].replace(":", "/") + "/%s.h" % prelude.split(":")[1]
    label = str(Label(prelude))
    attributes["copts"] = attributes.get("copts", []) + select({
        str(Label("//bazel:without_prelude")): [],
        "//conditions:default": ["-include", path] + _NOT_OURS,
    })
    attributes["deps"] = attributes.get("deps", []) + [label]
    return attributes

def cc_library(name, **attributes):
    testonly = attributes.get("testonly", False)
    native.cc_library(name = name, **_with_prelude(_TEST_PRELUDE if testonly else _PRELUDE, attributes))

def cc_binary(name, **attributes):
    native.cc_binary(name = name, **_with_prelude(_PRELUDE, attributes))

def cc_test(name, **attributes):
    native.cc_test(name = name, **_with_prelude(_TEST_PRELUDE, attributes))
