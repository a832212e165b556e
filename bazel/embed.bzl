"""Files inside a binary, so that a command needs nothing beside it."""

load("//bazel:cc.bzl", "cc_library")

def embed_files(name, namespace, files, visibility = None):
    """A cc_library with one std::string_view per file.

    Args:
      name: of the cc_library; its header is `<name>.h`.
      namespace: of the constants.
      files: {constant's name: label of the file}.
      visibility: of the cc_library.
    """
    arguments = " ".join(["%s=$(location %s)" % (constant, label) for constant, label in files.items()])
    native.genrule(
        name = name + "_gen",
        srcs = files.values(),
        outs = [name + ".h", name + ".cc"],
        tools = ["//bazel:embed.py"],
        cmd = "python3 $(location //bazel:embed.py) %s %s/%s $(RULEDIR)/%s %s" % (namespace, native.package_name(), name, name, arguments),
    )
    cc_library(name = name, srcs = [name + ".cc"], hdrs = [name + ".h"], visibility = visibility)
