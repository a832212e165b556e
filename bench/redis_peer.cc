#include "bench/redis_peer.h"

#if __has_include(<hiredis/hiredis.h>)

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace purser::bench {
namespace {

constexpr char kHold[] = R"(
  for _, key in ipairs(KEYS) do
    local account = redis.call('HMGET', key, 'settled', 'held', 'limit')
    if (account[1] or 0) + (account[2] or 0) + ARGV[1] > tonumber(account[3] or '1e15') then return 0 end
  end
  for _, key in ipairs(KEYS) do redis.call('HINCRBY', key, 'held', ARGV[1]) end
  return 1)";

constexpr char kSettle[] = R"(
  for _, key in ipairs(KEYS) do
    redis.call('HINCRBY', key, 'held', -ARGV[1])
    redis.call('HINCRBY', key, 'settled', ARGV[2])
  end
  return 1)";

constexpr std::array<const char*, 4> kKeys = {
    "task:tenant:task-99881", "session:tenant:6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "customer:tenant:customer-4711:2026-11", "tenant:tenant:2026-11-21"};

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0)
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

pid_t StartServer(int port, const std::string& directory, bool append_only) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int nothing = open("/dev/null", O_WRONLY);
  dup2(nothing, STDOUT_FILENO);
  dup2(nothing, STDERR_FILENO);
  execlp("redis-server", "redis-server", "--port", std::to_string(port).c_str(), "--bind", "127.0.0.1",
         "--save", "", "--dir", directory.c_str(), "--appendonly", append_only ? "yes" : "no",
         "--appendfsync", "no", static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

std::unique_ptr<RedisPeer> RedisPeer::Start(bool append_only) {
  std::unique_ptr<RedisPeer> peer(new RedisPeer);
  const int port = FreePort();
  peer->server_ = StartServer(port, peer->scratch_.path(), append_only);
  for (int attempt = 0; attempt < 100; ++attempt) {
    usleep(50'000);
    peer->context_ = redisConnect("127.0.0.1", port);
    if (peer->context_ != nullptr && peer->context_->err == 0) break;
    if (peer->context_ != nullptr) redisFree(peer->context_);
    peer->context_ = nullptr;
    if (waitpid(peer->server_, nullptr, WNOHANG) == peer->server_) {  // It is not installed.
      peer->server_ = 0;
      return nullptr;
    }
  }
  if (peer->context_ == nullptr || !peer->Load(kHold, &peer->hold_) || !peer->Load(kSettle, &peer->settle_))
    return nullptr;
  return peer;
}

RedisPeer::~RedisPeer() {
  if (context_ != nullptr) redisFree(context_);
  if (server_ > 0) {
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
  }
}

bool RedisPeer::Load(const char* script, std::string* digest) {
  auto* reply = static_cast<redisReply*>(redisCommand(context_, "SCRIPT LOAD %s", script));
  const bool ok = reply != nullptr && reply->type == REDIS_REPLY_STRING;
  if (ok) digest->assign(reply->str, static_cast<size_t>(reply->len));
  freeReplyObject(reply);
  return ok;
}

bool RedisPeer::HoldAndSettle(int pairs) {
  for (int i = 0; i < pairs; ++i) {
    redisAppendCommand(context_, "EVALSHA %s 4 %s %s %s %s 1500000", hold_.c_str(), kKeys[0], kKeys[1],
                       kKeys[2], kKeys[3]);
    redisAppendCommand(context_, "EVALSHA %s 4 %s %s %s %s 1500000 1000", settle_.c_str(), kKeys[0], kKeys[1],
                       kKeys[2], kKeys[3]);
  }
  bool ok = true;
  for (int i = 0; i < 2 * pairs; ++i) {
    void* reply = nullptr;
    if (redisGetReply(context_, &reply) != REDIS_OK) return false;
    const auto* number = static_cast<const redisReply*>(reply);
    ok = ok && number->type == REDIS_REPLY_INTEGER && number->integer == 1;
    freeReplyObject(reply);
  }
  return ok;
}

}  // namespace purser::bench

#else

namespace purser::bench {
std::unique_ptr<RedisPeer> RedisPeer::Start(bool) { return nullptr; }
RedisPeer::~RedisPeer() = default;
bool RedisPeer::HoldAndSettle(int) { return false; }
}  // namespace purser::bench

#endif
