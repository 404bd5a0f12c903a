#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_reader.h"

namespace twofour::train {

/// What the first row of a file is taken for, and a note where that is not certain.
struct HeaderGuess {
  bool has_header = false;
  std::string note;
};

/// The number in a cell of a feature, written as the options say; nullopt where it is none.
std::optional<double> ParseCell(std::string_view cell, const CsvOptions& options);

/// Guesses from the cells of features, of which names are words, numbers are data, and "?" or "1,234" is either:
///  - words alone make a header;
///  - numbers alone are data. Where they count the columns, or rise (two: by 1) beside a label that no other row has, a
///    note says so; such numbers are a header where the label is a number (a word) and all those below are words
///    (numbers);
///  - numbers beside "?" and the like are data, so that the cell is an error where it stands, as in any other row;
///  - of other mixtures, a row whose label occurs again below is data, and any other one is a header, with a note.
/// `label` is the label's column. The rows below are read from `text`, where it takes them.
HeaderGuess GuessHeader(const CsvRow& first, std::optional<size_t> label, std::string_view text,
                        const CsvOptions& options, const std::string& source);

/// The rule of an earlier twofour, by which its runs have read their files: a word among the features makes a header.
bool HasWord(const CsvRow& first, std::optional<size_t> label, const CsvOptions& options);

}  // namespace twofour::train
