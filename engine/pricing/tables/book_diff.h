#ifndef PURSER_ENGINE_PRICING_TABLES_BOOK_DIFF_H_
#define PURSER_ENGINE_PRICING_TABLES_BOOK_DIFF_H_

#include <string>
#include <vector>

#include "engine/pricing/price_book.h"

namespace purser::pricing {

// What changed from one price book to another, for people to review.
struct BookChange {
  enum class What { kAdded, kRemoved, kChanged };
  What what;
  std::string model;  // "openai/gpt-4o"
  // One line per difference: "batch: output_tokens 5 -> 4 per million". Empty unless kChanged.
  std::vector<std::string> lines;
};

// By provider and model, in alphabetical order. Models that are priced the same are not mentioned.
std::vector<BookChange> DiffBooks(const PriceBook& before, const PriceBook& after);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_BOOK_DIFF_H_
