#include "twofour/train/program/cli/packing_advice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace twofour::train {
namespace {

/// "1 linear", "3 linears".
std::string Linears(int64_t count) { return fmt::format("{} linear{}", count, count == 1 ? "" : "s"); }

bool GainsPacked(const LinearSpeedups& linear) { return std::max(linear.one_row, linear.many_rows) >= kLeastGain; }

/// "[64, 16] 1.40x with 1 row and 0.90x with 256, 0.531 of the bytes".
std::string Describe(const LinearSpeedups& linear, int64_t rows) {
  return fmt::format("[{}, {}] {:.2f}x with 1 row and {:.2f}x with {}, {:.3f} of the bytes", linear.out_features,
                     linear.in_features, linear.one_row, linear.many_rows, rows, linear.share_of_bytes);
}

/// Sentences about weights that are sparse already, one for each pattern. `text` is put behind their number, with the
/// pattern in place of {}.
void AddSparse(const FileSpeedups& measured, const auto& belongs, const auto& text, std::vector<std::string>& advice) {
  std::map<std::string, std::vector<std::string>> shapes;
  std::map<std::string, int64_t> linears;
  for (const LinearSpeedups& linear : measured.sparse) {
    if (!belongs(linear)) continue;
    shapes[linear.pattern].push_back(Describe(linear, measured.rows));
    linears[linear.pattern] += linear.linears;
  }
  for (const auto& [pattern, of_pattern] : shapes) {
    advice.push_back(fmt::format("{} {}: {}", Linears(linears[pattern]), text(pattern), fmt::join(of_pattern, "; ")));
  }
}

std::string DescribeDense(const FileSpeedups& measured, const LinearSpeedups& linear) {
  return fmt::format("{}, and in training {:.2f}x with {} rows (2:4 both ways)", Describe(linear, measured.rows),
                     linear.training, measured.rows);
}

}  // namespace

std::vector<std::string> PackingAdvice(const FileSpeedups& measured) {
  std::vector<std::string> advice;
  const std::string_view first = measured.in_run ? "" : "trainer import, then ";
  AddSparse(
      measured, [](const LinearSpeedups& linear) { return !linear.is_packed && GainsPacked(linear); },
      [&](const std::string& pattern) {
        return fmt::format("would gain from packed export ({}trainer export --format packed --pattern {})", first,
                           pattern);
      },
      advice);
  AddSparse(
      measured, [](const LinearSpeedups& linear) { return linear.is_packed && GainsPacked(linear); },
      [](const std::string& pattern) { return fmt::format("packed as {} already gain", pattern); }, advice);
  for (const LinearSpeedups& linear : measured.dense) {
    if (!GainsPacked(linear) && linear.training < kLeastGain) continue;
    advice.push_back(fmt::format("{} of one shape, dense now, would gain from 2:4: {}", Linears(linear.linears),
                                 DescribeDense(measured, linear)));
  }
  if (advice.empty()) advice.emplace_back("nothing gains speed on this machine");
  AddSparse(
      measured, [](const LinearSpeedups& linear) { return !GainsPacked(linear); },
      [](const std::string& pattern) { return fmt::format("would gain only memory as packed {}", pattern); }, advice);
  for (const LinearSpeedups& linear : measured.dense) {
    if (GainsPacked(linear) || linear.training >= kLeastGain) continue;
    advice.push_back(fmt::format("{} of one shape, dense now, would gain only memory from 2:4: {}",
                                 Linears(linear.linears), DescribeDense(measured, linear)));
  }
  if (measured.without_form > 0) {
    advice.push_back(fmt::format("{} with zeros in no pattern that can be packed: products multiply the zeros, too",
                                 Linears(measured.without_form)));
  }
  return advice;
}

}  // namespace twofour::train
