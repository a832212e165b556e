#ifndef PURSER_CACHE_CACHE_H_
#define PURSER_CACHE_CACHE_H_

#include <purser/cache/hit.h>
#include <purser/cache/options.h>
#include <purser/cache/stats.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace purser::cache {

// Answers requests from earlier answers: the same request (exact tier), or one that means the same (semantic
// tier). It lives in the process: no look-up leaves it.
//
//   Cache cache(options);
//   std::string_view key[] = {system_prompt, messages, tools_json, parameters};
//   Query query{.name_space = "acme/support", .key = key, .text = last_user_turn, .embedding = vector,
//               .embedding_model = "minilm-l6"};
//   std::string answer;                       // Reused from look-up to look-up.
//   Hit hit = cache.Lookup(query, now, &answer);
//   if (hit.kind != Hit::kNone) return answer;
//   answer = AskTheModel();
//   Entry entry{.query = query, .answer = answer, .saved_nano_usd = cost, .trial = hit.trial};
//   cache.Store(entry, now);
//
// Promises:
//   1. Nothing crosses a namespace. Keys are compared in full after their hash has matched, and each
//      (namespace, embedding model, dimension, compatibility) has an index of its own: there is nothing to
//      filter, whatever bytes the ids hold.
//   2. A hit is never an entry that has expired, was invalidated or evicted before the look-up began, or that
//      a guard vetoes. A hit prolongs no entry's life.
//   3. Look-ups take no lock and wait for nobody; they do not allocate once a thread has warmed up.
//   4. After every Store the memory held for entries is at most Options::memory_bytes.
//   5. In verified mode the error that is stated is kept, as verifier.h says.
//
// Thread-safe throughout. Times are nanoseconds since the Unix epoch, money nano-dollars.
//
// After fork() a cache is the parent's alone. In the child it answers nothing, stores nothing (kOff), leaves
// files alone (FAILED_PRECONDITION), and is destroyed at once.

// What is asked. Views: they must stay alive for the call only.
struct Query {
  // The partition, rendered by the caller ("acme/support"). Any bytes; compared in full.
  std::string_view name_space = {};
  // Everything that changes the answer, part by part: conversation, model class, system prompt, tools,
  // parameters. Parts are told apart whatever bytes they hold ({"ab","c"} is not {"a","bc"}).
  std::span<const std::string_view> key = {};
  // What has to be equal for a *similar* request's answer to serve: tools, parameters, system prompt and the
  // turns before the last one. Any bytes; compared in full.
  std::string_view compatibility = {};
  // The last user turn: guards read it, and an Embedder when `embedding` is empty. Empty: no guard can veto.
  std::string_view text = {};
  // Of any length above 0, not necessarily normalised. One with a NaN, an infinity or only zeros is refused.
  std::span<const float> embedding = {};
  std::string_view embedding_model = {};
  std::string_view request_class = {};
  // Raises the class's threshold; a lower one has no effect.
  float least_similarity = -1.0F;
  // Private, personal, time-bound, or with tools that act: nothing is looked up, nothing stored.
  bool bypass = false;
};

// An answer to keep. Views: copied by Store.
struct Entry {
  Query query = {};
  std::string_view answer = {};
  // False: it failed, was refused or cut off. Not stored. Streams are stored once complete.
  bool complete = true;
  int64_t saved_nano_usd = 0;  // What a hit spares: the realized cost of the call.
  int64_t ttl_nanos = 0;       // Shorter than the class's; 0: the class's. A longer one has no effect.
  // Handles for Invalidate.
  std::string_view model = {};
  std::string_view policy = {};
  std::span<const std::string_view> tags = {};
  std::span<const std::string_view> source_versions =
      {};                   // "pricing.md@7": the documents that it was made from.
  uint64_t generation = 0;  // Hit::generation of the look-up that missed. 0: now.
  // Equal for answers that mean the same (an id, a canonical form). Empty: the answer's own bytes. Verified
  // mode compares these.
  std::string_view answer_key = {};
  Trial trial = {};  // Hit::trial of the look-up that missed or was audited.
};

enum class StoreResult : uint8_t {
  kStored,
  kReplaced,      // The same request had an entry; it is gone.
  kOff,           // The class's mode, its TTL or Query::bypass.
  kIncomplete,    // Entry::complete is false, or the answer is empty.
  kTooLarge,      // Above max_entry_bytes, or above the memory bound by itself.
  kBadEmbedding,  // NaN, infinite or zero.
  kOutdated,      // Invalidated since Entry::generation.
};

enum class LabelKind : uint8_t { kTag, kModel, kPolicy, kSourceVersion, kNamespace };

class Cache {
 public:
  explicit Cache(Options options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Looks for an answer: exact first, then semantic if the class allows it and there is an embedding. On a
  // hit, `*answer` is replaced by the entry's; otherwise it is left alone. Cannot fail.
  Hit Lookup(const Query& query, int64_t now_nanos, std::string* answer) const;

  // Keeps an answer, evicting those that save least per byte if there is no room. `*id`, if not null, is set
  // to the entry's id when it was stored.
  StoreResult Store(const Entry& entry, int64_t now_nanos, uint64_t* id = nullptr);

  // Takes entries out: no look-up that begins after the return is answered with one. Returns whether (how
  // many of) them there were; entries named by a label are swept out lazily and not counted.
  bool InvalidateId(uint64_t id);
  void Invalidate(LabelKind kind, std::string_view label);
  void Clear();

  // Tells verified mode whether a hit was right. `trial` is the hit's.
  void Feedback(const Trial& trial, bool right);

  // Does what is due: builds graphs, sweeps what has expired, frees what no reader looks at any more. Needed
  // only with Options::background off, and for deterministic tests.
  void Maintain(int64_t now_nanos);

  uint64_t generation() const;
  const Options& options() const;

  // Zeros for a namespace that holds nothing.
  NamespaceStats StatsOf(std::string_view name_space) const;
  CacheStats Stats() const;
  std::vector<std::string> Namespaces() const;

  // Writes everything that has not expired, and what verified mode has learned, to `path`: into a new file
  // beside it, synced, then renamed over it, so that a crash leaves the old or the new file. Look-ups go on;
  // Stores wait while entries are listed.
  absl::Status SaveTo(const std::string& path, int64_t now_nanos) const;
  // Adds the entries of a file that SaveTo wrote; verified mode goes on from what it had learned. A file that
  // is corrupt, foreign or of another version is refused as a whole (DATA_LOSS, FAILED_PRECONDITION) and
  // nothing is added; NOT_FOUND if there is none.
  absl::Status LoadFrom(const std::string& path, int64_t now_nanos);

  // Keeps the cache in `directory` from now on: adds what is kept there, then logs every change before the
  // call that makes it returns. What was stored, and what was invalidated, survives the death of the process
  // at any instruction; invalidations survive a loss of power too. A log that has outgrown its snapshot is
  // replaced by a new one in the background, or by Maintain(). Where the disk does not take a change, all
  // that is kept is removed, so that nothing can come back that has left.
  // DATA_LOSS: the files are damaged; they are renamed to NAME.damaged, and the cache is kept as it is.
  // Otherwise after an error nothing is kept: UNAVAILABLE (another cache has the directory, or it cannot be
  // written), FAILED_PRECONDITION (its files are of another kind or version, or this cache is kept already).
  absl::Status KeepIn(const std::string& directory, int64_t now_nanos);
  // Writes a snapshot there now, with what verified mode has learned since the last one.
  // FAILED_PRECONDITION: the cache is not kept.
  absl::Status Keep(int64_t now_nanos);
  // Writes nothing any more: another cache may have the directory.
  void StopKeeping();

  // To change the options of a cache that serves, in two steps, so that between them everything else can
  // fail: PrepareSuccessor copies what is in this cache to `next`, which is new, and remembers what is
  // invalidated or cleared from then on. HandOver makes `next` catch up and gives it the directory that this
  // cache is kept in; it cannot fail. From then on whatever is invalidated or cleared here, by whoever still
  // has this cache, is so there too. A second PrepareSuccessor, or GiveUpSuccessor, forgets the first. Both
  // work without a directory.
  absl::Status PrepareSuccessor(Cache* next, int64_t now_nanos);
  void GiveUpSuccessor();
  void HandOver(std::shared_ptr<Cache> next);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_CACHE_H_
