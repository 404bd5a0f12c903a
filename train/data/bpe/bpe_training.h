#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/train/data/bpe/tokenizer.h"

namespace twofour::train {

struct BpeTrainingOptions {
  int64_t vocab_size = 4096;  ///< 257 to kMaxVocabSize, with the 256 bytes and the token of the end.
  int64_t min_count = 2;      ///< Pairs that occur less often are not merged.
  /// Where this becomes true, the vocabulary ends with what was found. Null never stops it.
  const std::atomic<bool>* stop = nullptr;
};

/// The token that is added to a trained vocabulary, as its last one, and stands for the end of a text.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

/// Finds a byte-level BPE vocabulary for a text. Its tokens are the 256 bytes (ids 0 to 255), the merges in the order
/// in which they were found, and kEndOfText. Each merge is that of the pair of neighbours within pieces that occurs
/// most often; of several, the one with the smallest left id, then right id. Pieces of
/// more than 64 KiB are counted in parts of this size.
/// If too few pairs are left, the vocabulary is smaller. Throws Error on sizes out of range and on an empty text.
BpeTokenizer TrainBpe(std::string_view text, const BpeTrainingOptions& options);

}  // namespace twofour::train
