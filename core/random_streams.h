#pragma once

#include <cstdint>

/// Every stream of RandomKey that twofour draws from. One seed serves a whole run, so no two purposes may share a
/// stream. Changing one of these numbers changes every run.
namespace twofour::random_streams {

/// Generator hands out the streams from here upwards: one for each initial value, in the order in which modules are
/// made.
inline constexpr uint32_t kFirstInitialValue = 0;

inline constexpr uint32_t kSplit = 0x80000001;  ///< Which samples are for evaluation.
inline constexpr uint32_t kShuffle = 0x80000002;
inline constexpr uint32_t kGlyphsToTrainOn = 0x80000003;
inline constexpr uint32_t kGlyphsToEvaluateOn = 0x80000004;
inline constexpr uint32_t kTokenWindow = 0x80000005;
inline constexpr uint32_t kChannelOrder = 0x80000006;  ///< Channels that a search for their order takes out together.
inline constexpr uint32_t kGenerate = 0x90000001;      ///< Tokens that a language model draws.
/// Masks: layer i draws from kFirstMask + i.
inline constexpr uint32_t kFirstMask = 0xA0000000;
/// Low-rank adapters: layer i draws from kFirstAdapter + i.
inline constexpr uint32_t kFirstAdapter = 0xB0000000;
/// Stochastic rounding: tensor i draws from kFirstRounding + i.
inline constexpr uint32_t kFirstRounding = 0xC0000000;

}  // namespace twofour::random_streams
