#ifndef PURSER_POLICIES_TEXTPROTO_H_
#define PURSER_POLICIES_TEXTPROTO_H_

#include <string_view>

#include "google/protobuf/message.h"
#include "policies/diagnostics.h"

namespace purser {

// Reads protobuf text into `message` and reports every mistake of form in one round: unknown fields and enum
// values (with the nearest known name), values of the wrong type, and what is left of a line that cannot be
// read. A line with a mistake of syntax is set aside and reading goes on after it.
//
// Returns the diagnostics of `text`, ready for the checks of meaning that follow: its source map knows where
// each field stands. `file` is the name shown in messages. `message` holds what could be read; use it only if
// ok().
Diagnostics ParseTextproto(std::string_view text, std::string_view file, google::protobuf::Message* message);

// The same for a file. A file that cannot be read is one error, with the system's reason. `text`, if not
// null, is set to the file's content: what was parsed, even if the file changes meanwhile.
Diagnostics ReadTextproto(const std::string& path, google::protobuf::Message* message,
                          std::string* text = nullptr);

}  // namespace purser

#endif  // PURSER_POLICIES_TEXTPROTO_H_
