#include <cstdio>
#include <string>

#include "engine/cli/verbs.h"

namespace purser::cli {

void Fail(std::string_view verb, std::string_view message) {
  std::fflush(stdout);
  std::fprintf(stderr, "purser %.*s: %.*s\n", static_cast<int>(verb.size()), verb.data(),
               static_cast<int>(message.size()), message.data());
  throw CLI::RuntimeError(1);
}

}  // namespace purser::cli
