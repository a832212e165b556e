#include "engine/economics/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/utf8.h"
#include "policies/amount.h"

namespace purser::economics {
namespace {

// The least of 1, 2, 2.5, 5 times a power of ten that is not below `value`.
double RoundStep(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= value) return factor * power;
  }
  return 10 * power;
}

// An axis needs no more digits than its step, which has at most two that count.
std::string AxisUsd(double nanos, double step) {
  int decimals = 0;
  for (double unit = 1e9; decimals < 9 && std::abs(step / unit - std::round(step / unit)) > 1e-6; unit /= 10)
    ++decimals;
  return FormatUsdRounded(static_cast<int64_t>(std::llround(nanos)), decimals);
}

}  // namespace

std::string Escaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterAt(text, at).bytes;
    const char c = text[at];
    if (length == 0 || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(c));
      ++at;
      continue;
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.append(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

std::string StackedBars::ToHtml() const {
  constexpr double kWidth = 1060, kHeight = 250, kLeft = 74, kTop = 16, kBottom = 26;
  int64_t highest = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    int64_t sum = 0;
    for (const Series& one : series) sum += one.values[i];
    highest = std::max(highest, sum);
  }
  if (highest == 0) return "<div class=\"soft\">Nothing was spent.</div>\n";
  const double step = RoundStep(static_cast<double>(highest) / 4);
  const double top = step * std::ceil(static_cast<double>(highest) / step);
  const auto y = [&](double nanos) { return kTop + (kHeight - kTop - kBottom) * (1 - nanos / top); };
  std::string svg =
      absl::StrFormat("<div class=\"scroll\"><div class=\"chart\"><svg viewBox=\"0 0 %g %g\" role=\"img\">\n",
                      kWidth, kHeight);
  for (double at = 0; at <= top * 1.0001; at += step) {
    absl::StrAppendFormat(&svg, "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/>",
                          kLeft, kWidth, y(at), y(at));
    absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", kLeft - 8,
                          y(at) + 4, AxisUsd(at, step));
  }
  const double slot = (kWidth - kLeft) / static_cast<double>(labels.size());
  const double width = std::min(slot * 0.8, 56.0);
  // So many labels that they stand apart.
  const auto every = static_cast<size_t>(std::ceil(118 / slot));
  for (size_t i = 0; i < labels.size(); ++i) {
    const double x = kLeft + slot * static_cast<double>(i) + (slot - width) / 2;
    int64_t below = 0;
    for (size_t s = 0; s < series.size(); ++s) {
      const int64_t nanos = series[s].values[i];
      if (nanos <= 0) continue;
      const double bottom = y(static_cast<double>(below)), upper = y(static_cast<double>(below + nanos));
      absl::StrAppendFormat(
          &svg,
          "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"var(--c%d)\"><title>%s, %s: "
          "%s</title></rect>",
          x, upper, width, bottom - upper, s, labels[i], series[s].name, FormatUsdRounded(nanos, 4));
      below += nanos;
    }
    if (i % every == 0) {
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%s</text>", x + width / 2,
                            kHeight - 6, labels[i]);
    }
  }
  svg += "</svg></div></div>\n<div class=\"legend\">";
  for (size_t s = 0; s < series.size(); ++s) {
    absl::StrAppendFormat(&svg, "<span><i style=\"background:var(--c%d)\"></i>%s</span>", s, series[s].name);
  }
  return svg + "</div>\n";
}

std::string BarsToHtml(const std::vector<Bar>& bars) {
  int64_t most = 0, least = 0;
  for (const Bar& bar : bars) {
    most = std::max(most, bar.nanos);
    least = std::min(least, bar.nanos);
  }
  const double range = std::max(1.0, static_cast<double>(most) - static_cast<double>(least));
  const double zero = -static_cast<double>(least) / range * 100;
  std::string html = "<div class=\"bars\">\n";
  for (const Bar& bar : bars) {
    const double width = std::abs(static_cast<double>(bar.nanos)) / range * 100;
    absl::StrAppendFormat(&html,
                          "<div class=\"name\">%s</div><div class=\"track\"><div class=\"bar\" "
                          "style=\"left:%.2f%%;width:%.2f%%;background:var(--%s)\"></div><div class=\"zero\" "
                          "style=\"left:%.2f%%\"></div></div><div class=\"value%s\">%s</div>\n",
                          bar.name, bar.nanos < 0 ? zero - width : zero, width, bar.nanos < 0 ? "bad" : "c0",
                          zero, bar.nanos < 0 ? " bad" : "", bar.value);
  }
  return html + "</div>\n";
}

}  // namespace purser::economics
