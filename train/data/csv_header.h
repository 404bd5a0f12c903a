#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_reader.h"

namespace twofour::train {

/// Whether the first row of a file is taken for a header, and a note where that is not certain.
struct HeaderGuess {
  bool has_header = false;
  std::string note;
};

/// Guesses from the cells of features in the first row. Names are words, data is numbers, and "?" or "1,234" is either.
///  - Only words: a header.
///  - Only numbers: data. A note says so where the numbers count the columns, or rise (two: by 1) beside a label
///    that no other row has. Such numbers are a header where the label is a number and all labels below are words, or
///    the reverse. Without a label, a note says so where the numbers count.
///  - Numbers, "?" and the like, but no words: data, so that such a cell is an error, as it is in any other row.
///  - Other mixtures: data where the row's label occurs again below, and otherwise a header, with a note.
/// `label` is the label's column. The rows below are read from `text` where they are needed.
HeaderGuess GuessHeader(const CsvRow& first, std::optional<size_t> label, std::string_view text,
                        const CsvOptions& options, const std::string& source);

/// The rule of an earlier twofour, with which its runs have read their files: a feature's cell that is neither empty
/// nor a number makes the row a header.
bool HasWord(const CsvRow& first, std::optional<size_t> label, const CsvOptions& options);

}  // namespace twofour::train
