"""C++ from .proto files with the system's protoc (Debian's rules_proto does not bring a C++ toolchain that builds offline)."""

def proto_cc_library(name, src, deps = [], visibility = None):
    """A cc_library of the messages in one .proto file.

    Args:
      name: of the cc_library.
      src: the .proto file, in this package. Imports are written from the workspace's root.
      deps: other proto_cc_library targets whose .proto files it imports.
      visibility: of the cc_library.
    """
    base = src[:-len(".proto")]
    native.filegroup(
        name = name + "_src",
        srcs = [src] + [dep + "_src" for dep in deps],
        visibility = visibility,
    )
    native.genrule(
        name = name + "_gen",
        srcs = [":" + name + "_src"],
        outs = [base + ".pb.h", base + ".pb.cc"],
        cmd = "protoc -I. --cpp_out=$(GENDIR) " + native.package_name() + "/" + src,
    )
    native.cc_library(
        name = name,
        srcs = [base + ".pb.cc"],
        hdrs = [base + ".pb.h"],
        # protoc's output, not ours to mend.
        copts = ["-w"],
        deps = deps + ["@protobuf"],
        visibility = visibility,
    )
