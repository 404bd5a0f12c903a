#pragma once

#include <cstdint>

namespace twofour::train {

/// Streams of RandomKey that the data uses. They lie far above those that Generator hands out to modules from 0
/// upwards, so data and initial weights never share numbers under one seed. nn::Generate draws from stream 0x90000001,
/// and the masks of layer i from 0xA0000000 + i (build_sparsity.cc). Changing one of these numbers changes every run.
inline constexpr uint32_t kSplitStream = 0x80000001;
inline constexpr uint32_t kShuffleStream = 0x80000002;
inline constexpr uint32_t kGlyphTrainStream = 0x80000003;
inline constexpr uint32_t kGlyphEvalStream = 0x80000004;
inline constexpr uint32_t kTokenWindowStream = 0x80000005;

}  // namespace twofour::train
