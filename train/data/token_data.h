#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/train/data/token_source.h"
#include "twofour/train/data/vocabulary.h"

namespace twofour::train {

/// What the loaders of token sequences return: tokens to train on and those held out.
struct TokenData {
  TokenSpan train;
  TokenSpan eval;
  int64_t vocab_size = 0;                ///< Ids lie in [0, vocab_size).
  std::optional<Vocabulary> vocabulary;  ///< Text of an id and back, where the data says.
  double eval_bytes_per_token = 0;       ///< Bytes of text that a token of `eval` stands for, on average; 0: unknown.
  std::string description;               ///< One line for the log.
  std::vector<std::string> notes = {};   ///< What the user should look at, a line each.
};

/// All of a source.
TokenSpan WholeOf(std::shared_ptr<const TokenSource> source);

/// Sets `train` and `eval` to all of two sources, or where `eval` is null to the parts that SplitEnd makes of the
/// first.
void SetParts(std::shared_ptr<const TokenSource> train, std::shared_ptr<const TokenSource> eval, double eval_fraction,
              TokenData& data);

/// Sets `train` and `eval` to the two parts of a source: eval is its last round(size * eval_fraction) tokens, in
/// one piece, since windows held out here and there would share tokens with those trained on. Throws Error when the
/// fraction lies outside (0, 1) or a part would be empty.
void SplitEnd(std::shared_ptr<const TokenSource> source, double eval_fraction, TokenData& data);

}  // namespace twofour::train
