#include "twofour/core/number_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using Kind = NumberFormat::Kind;
using Granularity = NumberFormat::Granularity;
using ScaleType = NumberFormat::ScaleType;
using ::testing::HasSubstr;

std::string FaultOf(const NumberFormat& format) {
  Faults faults("RoundTo: ");
  Check(format, "format", faults);
  try {
    faults.Throw();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(NumberFormatTest, WhatFitsTogether) {
  for (const Kind kind : {Kind::kBF16, Kind::kE4M3, Kind::kE5M2, Kind::kNvfp4}) {
    EXPECT_EQ(FaultOf({.kind = kind, .rounding = NumberFormat::Rounding::kStochastic}), "") << NameOf(kind);
  }
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    EXPECT_EQ(FaultOf({kind, Granularity::kRow}), "");
    EXPECT_EQ(FaultOf({kind, Granularity::kMatrix, 0, ScaleType::kPowerOfTwo}), "");
    EXPECT_EQ(FaultOf({kind, Granularity::kBlock, 128, ScaleType::kPowerOfTwo}), "");
    EXPECT_THAT(FaultOf({kind, Granularity::kBlock, 128}), HasSubstr("expected power of two for scales of blocks"));
    EXPECT_THAT(FaultOf({kind, Granularity::kBlock, 0, ScaleType::kPowerOfTwo}),
                HasSubstr("format.block is 0, expected 1 to 1048576"));
  }
  EXPECT_THAT(FaultOf({Kind::kNvfp4, Granularity::kRow}),
              HasSubstr("RoundTo: format.granularity is row, expected matrix for nvfp4"));
  EXPECT_THAT(FaultOf({Kind::kBF16, Granularity::kBlock}), HasSubstr("is block, expected matrix for bf16"));
  EXPECT_EQ(FaultOf({Kind::kNvfp4, Granularity::kMatrix, 16, ScaleType::kPowerOfTwo}), "");
  EXPECT_THAT(FaultOf({Kind::kBF16, Granularity::kMatrix, 16, ScaleType::kPowerOfTwo}),
              HasSubstr("format.scale_type is power of two, expected f32 for bf16"));
}

}  // namespace
}  // namespace twofour
