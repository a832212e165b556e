#ifndef PURSER_ENGINE_LEDGER_RECORD_JSON_H_
#define PURSER_ENGINE_LEDGER_RECORD_JSON_H_

#include <cstdint>
#include <string>

#include "engine/ledger/record.h"
#include "nlohmann/json.hpp"

namespace purser::ledger {

// A record as people's tools read it: amounts as exact decimal strings in dollars (fields *_usd), times in
// RFC 3339 UTC, only fields that are set. Ids that are not UTF-8 have their bad bytes shown as U+FFFD when
// the object is written with JsonLine.
nlohmann::ordered_json RecordToJson(const RecordView& record);

// One line, without its end.
std::string JsonLine(const nlohmann::ordered_json& object);

// "2026-03-02T08:00:10.044Z", as many decimals as it takes (0, 3, 6 or 9).
std::string FormatTime(int64_t time_nanos);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_RECORD_JSON_H_
