#ifndef PURSER_ENGINE_CALLS_OPEN_ENGINE_H_
#define PURSER_ENGINE_CALLS_OPEN_ENGINE_H_

#include <purser/purser.h>

#include <memory>

#include "absl/status/statusor.h"
#include "engine/ledger/file_system.h"

namespace purser {

// Engine::Open with the file system under its ledger chosen: the seam through which tests inject faults.
// `ledger_files` must outlive the engine; null: the operating system's.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const Options& options, ledger::FileSystem* ledger_files);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_OPEN_ENGINE_H_
