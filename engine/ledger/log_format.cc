#include "engine/ledger/log_format.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace purser::ledger {
namespace {

constexpr char kSegmentMagic[] = "PURSRLOG";
constexpr char kSnapshotMagic[] = "PURSRSNP";
constexpr char kIdentityHead[] = "purser ledger 1\nid ";

// The number before `suffix` in `name`, if exactly `digits` digits long; otherwise 0.
uint64_t NumberBefore(std::string_view name, std::string_view suffix, size_t digits) {
  if (name.size() != digits + suffix.size() || !name.ends_with(suffix)) return 0;
  uint64_t number = 0;
  for (char c : name.substr(0, digits)) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

uint64_t SnapshotChecksum(const SnapshotHeader& header, std::string_view bytes) {
  const uint64_t seed = XXH3_64bits(&header, offsetof(SnapshotHeader, checksum));
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace

std::string IdentityText(uint64_t id) {
  std::string text = absl::StrCat(kIdentityHead, absl::Hex(id, absl::kZeroPad16), "\n");
  absl::StrAppend(&text, "check ", absl::Hex(XXH3_64bits(text.data(), text.size()), absl::kZeroPad16), "\n");
  return text;
}

absl::StatusOr<uint64_t> ParseIdentity(std::string_view text, const std::string& path) {
  constexpr size_t kHead = sizeof(kIdentityHead) - 1;
  uint64_t id = 0;
  if (text.starts_with(kIdentityHead) && text.size() >= kHead + 16 &&
      absl::SimpleHexAtoi(absl::string_view(text.data() + kHead, 16), &id) && IdentityText(id) == text) {
    return id;
  }
  if (!text.starts_with("purser ledger ")) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": not a Purser ledger's identity; this directory belongs to something else"));
  }
  if (!text.starts_with("purser ledger 1\n")) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": written by a newer version of Purser"));
  }
  return absl::DataLossError(absl::StrCat(path, ": damaged; restore it from a backup of this ledger"));
}

std::string SegmentName(uint64_t number) { return absl::StrCat(absl::Dec(number, absl::kZeroPad8), ".log"); }

uint64_t SegmentNumber(std::string_view name) {
  const uint64_t number = NumberBefore(name, ".log", 8);
  return number != 0 ? number : NumberBefore(name, ".log.zst", 8);
}

std::string SnapshotName(uint64_t sequence) {
  return absl::StrCat(absl::Dec(sequence, absl::kZeroPad20), ".snap");
}

uint64_t SnapshotSequence(std::string_view name) { return NumberBefore(name, ".snap", 20); }

SegmentHeader MakeSegmentHeader(uint64_t id, uint64_t number, uint64_t first_sequence,
                                int64_t created_nanos) {
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof(header.magic));
  header.version = kLogVersion;
  header.id = id;
  header.number = number;
  header.first_sequence = first_sequence;
  header.created_nanos = created_nanos;
  header.checksum = XXH3_64bits(&header, offsetof(SegmentHeader, checksum));
  return header;
}

absl::Status CheckSegmentHeader(const SegmentHeader& header, uint64_t id, uint64_t number,
                                const std::string& path) {
  if (std::memcmp(header.magic, kSegmentMagic, sizeof(header.magic)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": not a segment of a Purser ledger; move it out of the directory"));
  }
  if (header.checksum != XXH3_64bits(&header, offsetof(SegmentHeader, checksum))) {
    return absl::DataLossError(absl::StrCat(path, ": offset 0: the segment's header is damaged"));
  }
  if (header.version != kLogVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": version ", header.version, "; this Purser reads version ", kLogVersion));
  }
  if (header.id != id) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": belongs to another ledger; move it out of the directory"));
  }
  if (header.number != number) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is segment ", header.number, " by its header; rename it back"));
  }
  return absl::OkStatus();
}

uint64_t FrameChecksum(uint64_t id, const FrameHeader& header, const char* payload) {
  const uint64_t head = uint64_t{header.size} | uint64_t{header.type} << 32 | uint64_t{header.check} << 48;
  const uint64_t checksum =
      XXH3_64bits_withSeed(payload, header.size, Mix(id ^ Mix(head ^ Mix(header.sequence))));
  return checksum != 0 ? checksum : 1;
}

std::string EncodeSnapshot(uint64_t id, uint64_t sequence, std::string_view bytes) {
  SnapshotHeader header{};
  std::memcpy(header.magic, kSnapshotMagic, sizeof(header.magic));
  header.version = kLogVersion;
  header.id = id;
  header.sequence = sequence;
  header.size = bytes.size();
  header.checksum = SnapshotChecksum(header, bytes);
  std::string file(reinterpret_cast<const char*>(&header), sizeof(header));
  file.append(bytes);
  return file;
}

absl::StatusOr<std::string_view> DecodeSnapshot(uint64_t id, uint64_t sequence, std::string_view file,
                                                const std::string& path) {
  SnapshotHeader header;
  if (file.size() < sizeof(header)) return absl::DataLossError(path + ": shorter than a snapshot's header");
  std::memcpy(&header, file.data(), sizeof(header));
  if (std::memcmp(header.magic, kSnapshotMagic, sizeof(header.magic)) != 0) {
    return absl::FailedPreconditionError(path + ": not a snapshot of a Purser ledger");
  }
  const std::string_view bytes = file.substr(sizeof(header));
  if (bytes.size() != header.size || header.checksum != SnapshotChecksum(header, bytes)) {
    return absl::DataLossError(path + ": the snapshot is damaged");
  }
  if (header.version != kLogVersion || header.id != id || header.sequence != sequence) {
    return absl::FailedPreconditionError(path + ": a snapshot of another ledger, version or name");
  }
  return bytes;
}

}  // namespace purser::ledger
