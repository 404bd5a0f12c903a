#include "twofour/train/program/cli/low_precision_report.h"

#include <fmt/format.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/number_format.h"
#include "twofour/train/program/config/build_low_precision.h"

namespace twofour::train {
namespace {

/// "e4m3 with a scale for each row, rounded at random".
std::string InWords(const NumberFormat& format) {
  std::string words(NameOf(format.kind));
  if (format.kind == NumberFormat::Kind::kE4M3 || format.kind == NumberFormat::Kind::kE5M2) {
    switch (format.granularity) {
      case NumberFormat::Granularity::kMatrix:
        break;
      case NumberFormat::Granularity::kRow:
        words += " with a scale for each row";
        break;
      case NumberFormat::Granularity::kBlock:
        words += fmt::format(" with a scale for {} neighbours", format.block);
        break;
    }
  }
  if (format.rounding == NumberFormat::Rounding::kStochastic) words += ", rounded at random";
  return words;
}

}  // namespace

void PrintLowPrecisionReport(const nn::SwapReport& report, const proto::Config& config, std::ostream& out) {
  const auto options = BuildLowPrecision(config);
  const sparse::LinearFormats& formats = options->formats;
  const auto precision = proto::Training::Precision_Name(config.training().precision());
  const size_t count = report.converted.size();
  out << fmt::format("✓ {} in {}: weights {}; activations {}; gradients {}{}\n",
                     count == 1 ? "1 linear computes" : fmt::format("{} linears compute", count), precision,
                     InWords(formats.weight), InWords(formats.activation), InWords(formats.gradient),
                     formats.hadamard ? "; operands of weight gradients rotated (Hadamard)" : "");
  out << fmt::format(
      "  emulated: operands are rounded to {0} and multiplied as bf16, so this is slower than BF16, on any processor\n",
      precision);
  std::map<std::string, std::vector<std::string>> kept;  // Names, by the reason.
  for (const nn::SwapEntry& entry : report.kept_dense) kept[entry.reason].push_back(entry.name);
  for (const auto& [reason, names] : kept) {
    out << fmt::format("  {} in bf16, because {}: {}{}\n",
                       names.size() == 1 ? "1 linear" : fmt::format("{} linears", names.size()), reason, names.front(),
                       names.size() > 1 ? ", ..." : "");
  }
}

}  // namespace twofour::train
