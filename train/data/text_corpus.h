#pragma once

#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/train/data/token_data.h"

namespace twofour::train {

/// Where a text is, and what its tokens are.
struct TextOptions {
  std::string path;
  std::string eval_path;       ///< A second text to evaluate on. Without it, the end of the first is held out.
  double eval_fraction = 0.1;  ///< The part that is held out.
  Vocabulary::Kind vocabulary = Vocabulary::Kind::kBytes;
  /// A tokenizer file (see LoadTokenizer), whose tokens then take the place of `vocabulary`.
  std::string tokenizer = {};
  /// For characters and a tokenizer: the vocabulary that a model was made with. It replaces that of the files.
  std::optional<Vocabulary> as_before = std::nullopt;
};

/// Rules: there is a path, and eval_fraction is between 0 and 1, both excluded.
void Check(const TextOptions& options, const FieldPath& at, Faults& faults);

/// Loads a text. For bytes, any file is a text, and it is read from the disk as needed, so it may be larger than
/// memory. For characters, the text is kept in memory, two bytes each, and the vocabulary is that of both files. With a
/// tokenizer, its tokens are kept in memory, two bytes each, and a file may have 1 GiB. Throws Error on a file that
/// cannot be read or is a Git LFS pointer. For characters, also throws Error on text that is not UTF-8 (naming file and
/// byte), that has more than 65536 different characters, or that has one which is not in the vocabulary `as_before`.
TokenData LoadText(const TextOptions& options);

}  // namespace twofour::train
