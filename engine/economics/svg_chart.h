#ifndef PURSER_ENGINE_ECONOMICS_SVG_CHART_H_
#define PURSER_ENGINE_ECONOMICS_SVG_CHART_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace purser::economics {

// Charts of amounts as markup, coloured by the page's --c0 ... --c6.

// A text with what HTML gives a meaning to replaced, and control characters and broken UTF-8 made visible.
std::string Escaped(std::string_view text);

// A bar per label, of as many parts as there are series (at most seven). Amounts in nano-dollars, not
// negative. With an axis, a legend and a title on each part that a pointer shows.
struct StackedBars {
  struct Series {
    std::string name;  // Markup.
    std::vector<int64_t> values;
  };
  std::vector<std::string> labels;
  std::vector<Series> series;

  std::string ToHtml() const;
};

// A name, a bar from zero to left or right, a value.
struct Bar {
  std::string name;  // Markup.
  int64_t nanos = 0;
  std::string value;  // Markup.
};
std::string BarsToHtml(const std::vector<Bar>& bars);

}  // namespace purser::economics

#endif  // PURSER_ENGINE_ECONOMICS_SVG_CHART_H_
