#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "twofour/train/data/csv_layout.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Reads the cells of features, and finds out which of them are columns of categories.
class CsvFeatures {
 public:
  /// A column that is not named as one of categories may have this many words.
  static constexpr size_t kMostWords = 1000;
  /// Any column of words may have this many, and so may that of the label. Far more than a softmax layer can handle.
  static constexpr size_t kMostCategories = 65536;

  /// The layout, options and source must outlive this. Only with `learn_words` may words make a column one of
  /// categories that the layout does not name as one.
  CsvFeatures(const CsvLayout& layout, const CsvOptions& options, const std::string& source, bool learn_words);

  /// The number in a cell, kMissingValue, or the index of its category in order of appearance. Throws Error, naming the
  /// line, if the options do not allow what the cell holds.
  double Read(const std::string& cell, size_t column, const CsvRow& row);

  /// A cell of a target: a finite number.
  double ReadTarget(const std::string& cell, size_t column, const CsvRow& row) const;

  /// Called after the last row: gives the table's columns their categories, sorted, and puts their new indices into the
  /// table's values. Throws Error on a column of both numbers and words, and on one whose words hardly repeat.
  void Finish(CsvTable& table) const;

 private:
  /// What is known about a column.
  struct Column {
    std::unordered_map<std::string, size_t> words;  // With their index.
    int64_t number_line = 0, word_line = 0;         // The first of each; 0: none.
    std::string number, word;                       // What stands there.
    int64_t cells = 0;                              // With a word.
    bool other_encoding = false;                    // Not all words are UTF-8.
  };

  double Intern(const std::string& cell, size_t column, const CsvRow& row);
  void RequireSound(size_t column) const;
  std::string WhyNoNumber(const std::string& cell, bool scaled) const;
  std::string WhyNoFeature(const std::string& cell, const CsvRow& row) const;
  [[noreturn]] void Fail(const std::string& cell, size_t column, const CsvRow& row, const std::string& why) const;

  const CsvLayout& layout_;
  const CsvOptions& options_;
  const std::string& source_;
  bool learn_words_;
  std::vector<Column> columns_;  // [columns]
};

}  // namespace twofour::train
