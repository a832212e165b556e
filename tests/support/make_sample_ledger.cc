// make_sample_ledger DIRECTORY [RECORDS [SEED]]: a ledger of made-up records.

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "engine/ledger/log.h"
#include "engine/ledger/record.h"
#include "tests/support/sample_records.h"

int main(int argc, char** argv) {
  namespace ledger = purser::ledger;
  if (argc < 2) {
    std::fprintf(stderr, "usage: make_sample_ledger DIRECTORY [RECORDS [SEED]]\n");
    return 2;
  }
  const long long count = argc > 2 ? std::atoll(argv[2]) : 10'000;
  ledger::SampleRecords samples(argc > 3 ? static_cast<uint64_t>(std::atoll(argv[3])) : 1);
  const auto log = ledger::Log::Open(argv[1], {}, nullptr);
  if (!log.ok()) {
    std::fprintf(stderr, "%s\n", std::string(log.status().message()).c_str());
    return 1;
  }
  ledger::Encoder encode;
  const auto start = std::chrono::steady_clock::now();
  for (long long i = 0; i < count; ++i) {
    if ((*log)->Append(ledger::RECORD, encode(samples.Next())) == 0) {
      std::fprintf(stderr, "%s\n", std::string((*log)->status().message()).c_str());
      return 1;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%lld records in %.2f s\n", count, took.count());
}
