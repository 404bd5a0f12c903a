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
  std::optional<Vocabulary> vocabulary;  ///< Turns ids into text and back, where the data has text.
  double eval_bytes_per_token = 0;       ///< Mean bytes of text for a token of `eval`; 0: unknown.
  std::string description;               ///< One line for the log.
  std::vector<std::string> notes = {};   ///< What the user should look at, one line each.
};

/// The whole of a source.
TokenSpan WholeOf(std::shared_ptr<const TokenSource> source);

/// Sets data.train and data.eval to the whole of two sources. Where `eval` is null, SplitEnd divides `train`.
void SetParts(std::shared_ptr<const TokenSource> train, std::shared_ptr<const TokenSource> eval, double eval_fraction,
              TokenData& data);

/// Mean bytes of text for a token of the span, whose ids must be those of the vocabulary.
double BytesPerToken(const TokenSpan& span, const Vocabulary& vocabulary);

/// Divides a source into data.train and data.eval. The latter is its last round(size * eval_fraction) tokens, in one
/// piece, because windows held out here and there would share tokens with windows that are trained on. Throws Error
/// when the fraction lies outside (0, 1) or a part would be empty.
void SplitEnd(std::shared_ptr<const TokenSource> source, double eval_fraction, TokenData& data);

}  // namespace twofour::train
