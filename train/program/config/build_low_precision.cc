#include "twofour/train/program/config/build_low_precision.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using Operand = proto::LowPrecision::Operand;
using Kind = NumberFormat::Kind;

/// What `last_blocks` is if a config says nothing.
constexpr int64_t kByPrecision = -1;

Kind KindOf(Operand::Format format, Kind usual) {
  switch (format) {
    case Operand::BY_PRECISION:
      return usual;
    case Operand::BF16:
      return Kind::kBF16;
    case Operand::E4M3:
      return Kind::kE4M3;
    case Operand::E5M2:
      return Kind::kE5M2;
    case Operand::NVFP4:
      return Kind::kNvfp4;
  }
  throw std::logic_error("unknown format");
}

NumberFormat::Granularity GranularityOf(Operand::Scales scales) {
  switch (scales) {
    case Operand::TENSOR:
      return NumberFormat::Granularity::kMatrix;
    case Operand::ROW:
      return NumberFormat::Granularity::kRow;
    case Operand::BLOCK:
      return NumberFormat::Granularity::kBlock;
  }
  throw std::logic_error("unknown granularity");
}

NumberFormat ToFormat(const Operand& operand, Kind usual, bool usually_stochastic) {
  const Kind kind = KindOf(operand.format(), usual);
  const bool stochastic =
      operand.rounding() == Operand::STOCHASTIC || (operand.rounding() == Operand::USUAL && usually_stochastic);
  return {.kind = kind,
          .granularity = GranularityOf(operand.scales()),
          .block = operand.block(),
          .scale_type = kind == Kind::kBF16 ? NumberFormat::ScaleType::kF32 : NumberFormat::ScaleType::kPowerOfTwo,
          .rounding = stochastic ? NumberFormat::Rounding::kStochastic : NumberFormat::Rounding::kNearestEven};
}

}  // namespace

std::optional<nn::LowPrecisionOptions> BuildLowPrecision(const proto::Config& config) {
  const proto::Training& training = config.training();
  const bool nvfp4 = training.precision() == proto::Training::NVFP4;
  if (!nvfp4 && training.precision() != proto::Training::FP8) return std::nullopt;
  const proto::LowPrecision& low = training.low_precision();
  const Kind usual = nvfp4 ? Kind::kNvfp4 : Kind::kE4M3;
  return nn::LowPrecisionOptions{
      .formats = {.weight = ToFormat(low.weights(), usual, false),
                  .activation = ToFormat(low.activations(), usual, false),
                  .gradient = ToFormat(low.gradients(), nvfp4 ? Kind::kNvfp4 : Kind::kE5M2, nvfp4),
                  .hadamard = low.hadamard() == proto::LowPrecision::ON ||
                              (low.hadamard() == proto::LowPrecision::FOR_NVFP4 && nvfp4)},
      .include = low.include(),
      .exclude = low.exclude(),
      .first_blocks = low.first_blocks(),
      .last_blocks = low.last_blocks() == kByPrecision ? (nvfp4 ? nn::kSeventhOfBlocks : 0) : low.last_blocks(),
      .seed = config.seed()};
}

std::optional<nn::SwapReport> RoundLinears(const proto::Config& config, nn::Module& model) {
  const std::optional<nn::LowPrecisionOptions> options = BuildLowPrecision(config);
  if (!options) return std::nullopt;
  return nn::EmulateLowPrecision(model, *options);
}

void RequireRounded(const nn::SwapReport& report, const proto::Config& config) {
  if (!report.converted.empty()) return;
  std::map<std::string, std::vector<std::string>> kept;  // Names, by the reason.
  for (const nn::SwapEntry& entry : report.kept_dense) kept[entry.reason].push_back(entry.name);
  std::vector<std::string> reasons;
  for (const auto& [reason, names] : kept) {
    reasons.push_back(names.size() == 1 ? fmt::format("{}: {}", names.front(), reason)
                                        : fmt::format("{} and {} more: {}", names.front(), names.size() - 1, reason));
  }
  throw Error(fmt::format("config: training.low_precision: no linear would compute in {}, expected at least one ({})",
                          proto::Training::Precision_Name(config.training().precision()),
                          reasons.empty() ? "the model has none" : fmt::format("{}", fmt::join(reasons, "; "))));
}

}  // namespace twofour::train
