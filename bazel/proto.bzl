"""C++ from .proto files with the system's protoc (Debian's rules_proto does not bring a C++ toolchain that builds offline)."""

load("//bazel:cc.bzl", "cc_library")

def proto_cc_library(name, src, deps = [], visibility = None):
    """A cc_library of the messages in one .proto file.

    The file is known to protobuf, imported and included under purser/ ("purser/policy.proto", "purser/policy.pb.h"),
    so that a program with a policy.proto of its own can link it.

    Args:
      name: of the cc_library.
      src: the .proto file, in this package.
      deps: other proto_cc_library targets of this package whose .proto files it imports.
      visibility: of the cc_library.
    """
    base = "purser/" + src[:-len(".proto")]
    native.filegroup(
        name = name + "_src",
        srcs = [src] + [dep + "_src" for dep in deps],
        visibility = visibility,
    )
    native.genrule(
        name = name + "_gen",
        srcs = [src] + [dep + "_src" for dep in deps],
        outs = [base + ".pb.h", base + ".pb.cc"],
        cmd = "protoc -Ipurser=$$(dirname $(execpath %s)) --cpp_out=$(RULEDIR) purser/%s" % (src, src),
    )
    cc_library(
        name = name,
        srcs = [base + ".pb.cc"],
        hdrs = [base + ".pb.h"],
        # protoc's output, not ours to mend.
        copts = ["-w"],
        strip_include_prefix = "/" + native.package_name(),
        deps = deps + ["@protobuf"],
        visibility = visibility,
    )
