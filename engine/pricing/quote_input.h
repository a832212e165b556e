#ifndef PURSER_ENGINE_PRICING_QUOTE_INPUT_H_
#define PURSER_ENGINE_PRICING_QUOTE_INPUT_H_

#include <cstdint>
#include <string_view>

namespace purser::pricing {

// What a call is expected to use, and the most it can.
struct QuoteInput {
  // Of the whole input. `most_` is an upper bound: the estimate's, or what the caller counted.
  int64_t input_tokens = 0;
  int64_t most_input_tokens = 0;
  // Of the input: what the provider's prompt cache is expected to hold (a worst case never counts on it), and
  // what the caller asks it to keep.
  int64_t cached_tokens = 0;
  int64_t cache_write_tokens = 0;
  bool cache_write_1h = false;     // Kept for an hour, else five minutes.
  int64_t audio_input_tokens = 0;  // Of the input.
  int64_t image_input_tokens = 0;  // Of the input.
  int64_t images = 0;              // Images sent, for models that bill by the image.
  // Output, reasoning included.
  int64_t output_tokens = 0;
  int64_t most_output_tokens = 0;  // The cap that is sent with the request, else the model's own.
  // At most this many.
  int64_t web_searches = 0;
  int64_t tool_calls = 0;  // That the provider bills: its own tools, not the caller's functions.
  int64_t requests = 1;
  int64_t output_images = 0;

  std::string_view region;  // Where the call has to run. Empty: where the candidate does.
  int64_t time_nanos = 0;
};

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_QUOTE_INPUT_H_
