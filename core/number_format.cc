#include "twofour/core/number_format.h"

#include <fmt/format.h>

namespace twofour {

void Check(const NumberFormat& format, const FieldPath& at, Faults& faults) {
  using Granularity = NumberFormat::Granularity;
  using ScaleType = NumberFormat::ScaleType;
  const bool of_eight_bits = format.kind == NumberFormat::Kind::kE4M3 || format.kind == NumberFormat::Kind::kE5M2;
  const bool of_blocks = format.granularity == Granularity::kBlock;
  faults.Expect(of_eight_bits || format.granularity == Granularity::kMatrix, at("granularity"),
                of_blocks ? "block" : "row", fmt::format("matrix for {}", NameOf(format.kind)));
  faults.Expect(format.kind != NumberFormat::Kind::kBF16 || format.scale_type == ScaleType::kF32, at("scale_type"),
                "power of two", "f32 for bf16");
  faults.Expect(!of_eight_bits || !of_blocks || format.scale_type == ScaleType::kPowerOfTwo, at("scale_type"), "f32",
                "power of two for scales of blocks");
  faults.Expect(!of_blocks || (format.block >= 1 && format.block <= kMaxFeatures), at("block"), format.block,
                fmt::format("1 to {}", kMaxFeatures));
}

std::string_view NameOf(NumberFormat::Kind kind) {
  switch (kind) {
    case NumberFormat::Kind::kBF16:
      return "bf16";
    case NumberFormat::Kind::kE4M3:
      return "e4m3";
    case NumberFormat::Kind::kE5M2:
      return "e5m2";
    case NumberFormat::Kind::kNvfp4:
      return "nvfp4";
  }
  return "?";
}

}  // namespace twofour
