#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/train/data/token_data.h"

namespace twofour::train {

/// Where token ids are. A file is either nothing but little-endian unsigned 16-bit ids (as nanoGPT writes them), or
/// begins with llm.c's header of 256 32-bit numbers: 20240520, version 1, the number of ids. The first number tells
/// which: see TokenFileHeaderBytes.
struct TokensOptions {
  std::string path;            ///< A file, or a pattern of several: see FilesOf. Their tokens follow each other.
  std::string eval_path;       ///< A second file to evaluate on. Without it, the end of the first is held out.
  double eval_fraction = 0.1;  ///< The part that is held out.
  int64_t vocab_size = 0;      ///< 2 to 65536; 0 means the tokenizer's, or the largest id plus one.
  std::string tokenizer = {};  ///< The file of the tokenizer that the ids are from (see LoadTokenizer), if known.
  /// The vocabulary that a model was made with. It takes the place of that of the tokenizer.
  std::optional<Vocabulary> as_before = std::nullopt;
};

/// Rules: there is a path, eval_fraction is between 0 and 1, both excluded, and vocab_size is within its bounds.
void Check(const TokensOptions& options, const FieldPath& at, Faults& faults);

/// Loads token ids. They stay on the disk until they are needed, so the files may be larger than memory. All ids are
/// read once here to check them. Throws Error on a file of another format or an odd size, and on an id that is not
/// below vocab_size, or if vocab_size is less than the tokenizer has; adds a note where the ids look wider than 16
/// bits.
TokenData LoadTokens(const TokensOptions& options);

}  // namespace twofour::train
