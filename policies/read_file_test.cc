#include "policies/read_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "gtest/gtest.h"

namespace purser {
namespace {

TEST(ReadWholeFile, GivesEveryByte) {
  const std::string path = testing::TempDir() + "/bytes";
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{300'000}}) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7);
    std::ofstream(path, std::ios::binary) << bytes;
    const auto read = ReadWholeFile(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, bytes);
  }
}

TEST(ReadWholeFile, ReadsAPipeToItsEnd) {
  const std::string path = testing::TempDir() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string bytes(200'000, 'x');
  std::thread writer([&] { std::ofstream(path) << bytes; });
  const auto read = ReadWholeFile(path);
  writer.join();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, bytes);
}

TEST(ReadWholeFile, SaysWhyItCannot) {
  const auto missing = ReadWholeFile("/no/such/file");
  EXPECT_EQ(missing.status(), absl::NotFoundError("cannot be read: No such file or directory"));
  const auto folder = ReadWholeFile(testing::TempDir());
  EXPECT_EQ(folder.status(), absl::UnavailableError("cannot be read: Is a directory"));
}

}  // namespace
}  // namespace purser
