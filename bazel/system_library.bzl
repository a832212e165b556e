"""Debian's packages as ordinary Bazel dependencies, found through pkg-config or by their header."""

_TARGET = """cc_library(
    name = "{name}",
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

def _system_library_impl(ctx):
    result = ctx.execute(["pkg-config", "--libs"] + ctx.attr.modules)
    if result.return_code != 0:
        fail("pkg-config %s: %sRun ./dev, which installs what is missing." % (" ".join(ctx.attr.modules), result.stderr))
    ctx.file("BUILD.bazel", _TARGET.format(name = ctx.attr.name, linkopts = repr(result.stdout.strip().split(" "))))

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {"modules": attr.string_list(mandatory = True)},
    local = True,
)

def _header_library_impl(ctx):
    if not ctx.path("/usr/include/" + ctx.attr.header).exists:
        fail("/usr/include/%s is missing. Run ./dev, which installs what is missing." % ctx.attr.header)
    ctx.file("BUILD.bazel", _TARGET.format(name = ctx.attr.name, linkopts = []))

header_library = repository_rule(
    implementation = _header_library_impl,
    attrs = {"header": attr.string(mandatory = True)},
    local = True,
)

def _optional_library_impl(ctx):
    found = ctx.path("/usr/include/" + ctx.attr.header).exists
    ctx.file("BUILD.bazel", _TARGET.format(name = ctx.attr.name, linkopts = repr(ctx.attr.linkopts if found else [])))

# For what is compared with only if it is there; sources ask __has_include.
optional_library = repository_rule(
    implementation = _optional_library_impl,
    attrs = {"header": attr.string(mandatory = True), "linkopts": attr.string_list()},
    local = True,
)
