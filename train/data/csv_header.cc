#include "twofour/train/data/csv_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

/// How many cells of features there are of each kind.
struct Cells {
  int64_t numbers = 0, words = 0, missing = 0, loose = 0;
  std::string number, word;  ///< The first number, and the first cell of another kind that is not empty.
};

Cells Count(const CsvRow& row, std::optional<size_t> label, const CsvOptions& options) {
  Cells cells;
  for (size_t column = 0; column < row.cells.size(); ++column) {
    const std::string& cell = row.cells[column];
    if (column == label || cell.empty()) continue;
    const bool is_number = ParseCell(cell, options).has_value();
    std::string& first = is_number ? cells.number : cells.word;
    if (first.empty()) first = cell;
    ++(is_number ? cells.numbers : LooksMissing(cell) ? cells.missing : LooseNumber(cell) ? cells.loose : cells.words);
  }
  return cells;
}

// Fewer labels than these may all be of one kind by chance.
constexpr int64_t kEnoughRows = 5;

/// What the labels and features below the first row are like.
struct Below {
  bool label_again = false;  ///< Another row has the first row's label, too.
  bool number_labels = true, word_labels = true, fractions = false;
  int64_t rows = 0;
};

Below LookBelow(const CsvRow& first, std::optional<size_t> label, std::string_view text, const CsvOptions& options,
                const std::string& source) {
  CsvReader reader(text, options.delimiter, source);
  CsvRow row;
  Below below;
  reader.Next(row);
  while (reader.Next(row)) {
    ++below.rows;
    for (size_t column = 0; column < row.cells.size(); ++column) {
      const std::optional<double> number = ParseCell(row.cells[column], options);
      if (column != label) {
        below.fractions |= number && *number != std::floor(*number);
        continue;
      }
      below.label_again |= row.cells[column] == first.cells[*label];
      (number ? below.word_labels : below.number_labels) = false;
    }
  }
  return below;
}

bool FollowEachOther(const std::vector<double>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 0 || numbers[i] != std::floor(numbers[i]) || (i > 0 && numbers[i] != numbers[i - 1] + 1)) {
      return false;
    }
  }
  return true;
}

constexpr const char* kSayHeader = "data.csv.header: YES if it names the columns, NO if not";

std::string Taken(const CsvRow& first, const std::string& source, bool has_header, const std::string& though) {
  return fmt::format("{}: line {} was taken for {}, though {}; {}", source, first.line,
                     has_header ? "the columns' names" : "data", though, kSayHeader);
}

/// All features' cells are numbers: data, unless they look like the numbers that programs give to columns without
/// names.
HeaderGuess GuessNumbers(const CsvRow& first, std::optional<size_t> label, std::string_view text,
                         const CsvOptions& options, const std::string& source) {
  std::vector<double> features, all;
  for (size_t column = 0; column < first.cells.size(); ++column) {
    const std::optional<double> number = ParseCell(first.cells[column], options);
    if (number) all.push_back(*number);
    if (number && column != label) features.push_back(*number);
  }
  const size_t columns = first.cells.size();
  const bool counts = all.size() == columns && all[0] <= 1 && FollowEachOther(all);
  // Such as years or wavelengths. Two numbers may rise by chance.
  const bool rise =
      features.size() > 2 && std::ranges::adjacent_find(features, std::greater_equal<>()) == features.end();
  const bool follow = rise || (features.size() > 1 && FollowEachOther(features));
  if (!label && all.size() > 2 && FollowEachOther(all)) {
    return {false, Taken(first, source, false, fmt::format("its cells count from {} to {}", all.front(), all.back()))};
  }
  if (!label || (!counts && !follow)) return {};
  const Below below = LookBelow(first, label, text, options, source);
  if (below.rows == 0) return {};
  const bool number_label = ParseCell(first.cells[*label], options).has_value();
  // The label is a number and all labels below are words, or the reverse.
  const bool other_label = number_label ? below.word_labels : below.number_labels;
  if (below.rows >= kEnoughRows && features.size() > 1 && other_label && !LooksMissing(first.cells[*label])) {
    return {true, Taken(first, source, true, "all of its features are numbers")};
  }
  if (counts && (columns > 2 || below.fractions)) {
    return {false, Taken(first, source, false, fmt::format("its cells count from {} to {}", all.front(), all.back()))};
  }
  if (counts || below.label_again || below.rows < kEnoughRows) return {};
  return {false, Taken(first, source, false,
                       fmt::format("its features rise from {} to {} and no other row has its label {}",
                                   features.front(), features.back(), Quoted(first.cells[*label])))};
}

}  // namespace

HeaderGuess GuessHeader(const CsvRow& first, std::optional<size_t> label, std::string_view text,
                        const CsvOptions& options, const std::string& source) {
  const Cells cells = Count(first, label, options);
  if (cells.words == 0 && cells.missing == 0 && cells.loose == 0) {
    return GuessNumbers(first, label, text, options, source);
  }
  if (cells.numbers == 0 && cells.missing == 0 && cells.loose == 0) return {true, ""};
  // Names include a word, or are all numbers in another notation, such as "1,234".
  const bool may_be_names = cells.words > 0 || (cells.numbers == 0 && cells.missing == 0);
  if (!may_be_names) return {};
  if (label && LookBelow(first, label, text, options, source).label_again) return {};
  if (cells.numbers > 0) {
    return {true, Taken(first, source, true,
                        fmt::format("{} is a number and {} is none", Quoted(cells.number), Quoted(cells.word)))};
  }
  return {true, Taken(first, source, true, "not all of it looks like names")};
}

bool HasWord(const CsvRow& first, std::optional<size_t> label, const CsvOptions& options) {
  const Cells cells = Count(first, label, options);
  return cells.words + cells.missing + cells.loose > 0;
}

}  // namespace twofour::train
