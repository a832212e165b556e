#ifndef PURSER_ENGINE_LEDGER_LOG_FORMAT_H_
#define PURSER_ENGINE_LEDGER_LOG_FORMAT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace purser::ledger {

// The bytes of a ledger directory, as LOG_FORMAT.md describes them. Private to the log and its readers.

static_assert(std::endian::native == std::endian::little, "The log is little-endian and stored as is.");

inline constexpr char kIdentityName[] = "LEDGER";
inline constexpr char kLockName[] = "LOCK";
inline constexpr uint32_t kLogVersion = 1;
inline constexpr uint64_t kSectorBytes = 512;

// A ledger's identity: drawn at random when it is created, part of every checksum, so that no other ledger's
// bytes and no payload that looks like a frame are ever taken for frames of this one.
std::string IdentityText(uint64_t id);
// DATA_LOSS or FAILED_PRECONDITION if `text` is not one that IdentityText wrote.
absl::StatusOr<uint64_t> ParseIdentity(std::string_view text, const std::string& path);

// Segment files are named by number: "00000001.log", closed and compressed "00000001.log.zst".
std::string SegmentName(uint64_t number);
// 0: not a segment's name.
uint64_t SegmentNumber(std::string_view name);
// Snapshots are named by the sequence that they reach: "00000000000000001234.snap".
std::string SnapshotName(uint64_t sequence);
// 0: not a snapshot's name.
uint64_t SnapshotSequence(std::string_view name);

struct SegmentHeader {
  char magic[8];
  uint32_t version;
  uint32_t zero;
  uint64_t id;
  uint64_t number;
  uint64_t first_sequence;  // Of the segment's first frame, whether there is one yet or not.
  int64_t created_nanos;
  uint64_t also_zero;
  uint64_t checksum;  // Of the bytes before it.
};
static_assert(sizeof(SegmentHeader) == 64);

SegmentHeader MakeSegmentHeader(uint64_t id, uint64_t number, uint64_t first_sequence, int64_t created_nanos);
// OK, or what is wrong: FAILED_PRECONDITION (not ours, or a newer version), DATA_LOSS (damaged).
absl::Status CheckSegmentHeader(const SegmentHeader& header, uint64_t id, uint64_t number,
                                const std::string& path);

struct FrameHeader {
  uint32_t size;  // Of the payload, without padding.
  uint16_t type;
  uint16_t check;  // Of size, type, sequence and the ledger's id.
  uint64_t sequence;
  uint64_t checksum;  // Of all of it, stored last: 0 while the frame is being written, never after.
};
static_assert(sizeof(FrameHeader) == 24);

inline constexpr uint64_t Align8(uint64_t size) { return (size + 7) & ~uint64_t{7}; }
// Where the first frame at or after `offset` (a multiple of 8) may begin. Not in the last 16 bytes of a
// sector: if the next sector were lost, such a frame would look like one whose writer had died before its
// checksum.
inline constexpr uint64_t FrameBegin(uint64_t offset) {
  return offset % kSectorBytes == kSectorBytes - offsetof(FrameHeader, checksum)
             ? offset + offsetof(FrameHeader, checksum)
             : offset;
}
inline constexpr uint64_t FrameBytes(uint64_t payload) { return Align8(sizeof(FrameHeader) + payload); }

// splitmix64's finalizer: every bit of the input moves half of the output's.
inline uint64_t Mix(uint64_t value) {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9;
  value ^= value >> 27;
  value *= 0x94d049bb133111eb;
  return value ^ value >> 31;
}

inline uint16_t HeaderCheck(uint64_t id, uint32_t size, uint16_t type, uint64_t sequence) {
  const uint64_t mixed = Mix(id ^ Mix(sequence ^ uint64_t{size} << 32 ^ uint64_t{type} << 16));
  // Never 0, so that a header's first word never is.
  return static_cast<uint16_t>(mixed >> 48 | 1);
}

uint64_t FrameChecksum(uint64_t id, const FrameHeader& header, const char* payload);

// A snapshot file is this header and the bytes.
struct SnapshotHeader {
  char magic[8];
  uint32_t version;
  uint32_t zero;
  uint64_t id;
  uint64_t sequence;
  uint64_t size;
  uint64_t checksum;  // Of the bytes before it and the snapshot's.
};
static_assert(sizeof(SnapshotHeader) == 48);

std::string EncodeSnapshot(uint64_t id, uint64_t sequence, std::string_view bytes);
// The snapshot's bytes within `file`; DATA_LOSS or FAILED_PRECONDITION if it is not a good snapshot.
absl::StatusOr<std::string_view> DecodeSnapshot(uint64_t id, uint64_t sequence, std::string_view file,
                                                const std::string& path);

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_LOG_FORMAT_H_
