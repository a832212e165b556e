#ifndef PURSER_BENCH_REDIS_PEER_H_
#define PURSER_BENCH_REDIS_PEER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "bench/scratch.h"

struct redisContext;

namespace purser::bench {

// Holds and settlements as people do them with Redis: a Lua script checks four counters and adds to all or to
// none, another one moves the amount from held to settled; many calls in one pipeline over loopback. It
// starts a server of its own, and stops it.
class RedisPeer {
 public:
  // Null where hiredis or redis-server is not installed. `append_only`: every change goes to its log file,
  // which the kernel flushes at leisure: it survives the death of the process, as Purser's default does.
  static std::unique_ptr<RedisPeer> Start(bool append_only);
  ~RedisPeer();

  // Runs `pairs` of hold and settle in one pipeline. False: a reply was not what it has to be.
  bool HoldAndSettle(int pairs);

 private:
  RedisPeer() = default;
  bool Load(const char* script, std::string* digest);

  Scratch scratch_;
  pid_t server_ = 0;
  redisContext* context_ = nullptr;
  std::string hold_, settle_;  // The scripts' digests.
};

}  // namespace purser::bench

#endif  // PURSER_BENCH_REDIS_PEER_H_
