#ifndef PURSER_BENCH_SCRATCH_H_
#define PURSER_BENCH_SCRATCH_H_

#include <unistd.h>

#include <filesystem>
#include <string>

namespace purser::bench {

// A directory on the disk that the build is on, removed at the end: /tmp may be memory.
class Scratch {
 public:
  Scratch() : path_("benchmark." + std::to_string(getpid()) + "." + std::to_string(count_++)) {
    std::filesystem::create_directory(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  static inline int count_ = 0;
  const std::string path_;
};

}  // namespace purser::bench

#endif  // PURSER_BENCH_SCRATCH_H_
