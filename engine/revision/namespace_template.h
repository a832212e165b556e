#ifndef PURSER_ENGINE_REVISION_NAMESPACE_TEMPLATE_H_
#define PURSER_ENGINE_REVISION_NAMESPACE_TEMPLATE_H_

#include <purser/request.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace purser {

// A text such as "{tenant}/{feature}" with a request's fields filled in: the namespace of its cached answers.
//
// Two requests render alike only if every named field is equal, whatever bytes the fields hold: each value is
// preceded by its length, so {"a", "b/c"} is not {"a/b", "c"}.
class NamespaceTemplate {
 public:
  NamespaceTemplate() = default;

  // INVALID_ARGUMENT: an unclosed brace; a field that requests do not have (the message lists those they
  // have).
  static absl::StatusOr<NamespaceTemplate> Parse(std::string_view text);

  // Replaces *out; allocates only while its capacity grows.
  void Render(const Request& request, std::string* out) const;

 private:
  using Field = std::string_view Dimensions::*;
  struct Part {
    std::string literal;    // Before the field.
    Field field = nullptr;  // Null: none.
  };
  std::vector<Part> parts_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_NAMESPACE_TEMPLATE_H_
