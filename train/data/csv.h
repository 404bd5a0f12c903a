#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

struct CsvOptions {
  enum class Header {
    kAuto,  ///< As GuessHeader decides, with a note if that is not certain.
    kYes,
    kNo,
  };

  std::string path = {};
  /// A second file to evaluate on. Without it, a random part of the first is held out.
  std::string eval_path = {};
  /// The column of the class: its name or, if no column has that name, its index (from 0; negative from the end).
  std::string label = "-1";
  char delimiter = ',';
  char decimal = '.';  ///< The decimal separator: a point or a comma.
  Header header = Header::kAuto;
  /// Subtract the mean of each feature and divide by its standard deviation. Both are those of the training samples.
  bool standardize = true;
  double eval_fraction = 0.2;  ///< The part that is held out.
  uint64_t split_seed = 1;
  /// Classes and scaling that a model was made with. They replace those of this data.
  std::optional<SamplesAsBefore> as_before = std::nullopt;
  bool numeric_classes = false;  ///< Accept any numbers as classes, even if they look like a measured quantity.
  /// Guess headers, find columns and measure scales as an earlier twofour did, for runs that it began.
  bool earlier_rules = false;
};

/// Rules: there is a path, and eval_fraction is between 0 and 1, both excluded.
void Check(const CsvOptions& options, const FieldPath& at, Faults& faults);

/// Loads one or two CSV files of up to 1 GiB, gzip'd or not. Where both have headers, the columns of the second are
/// found by name. The distinct labels of `path` become the classes, sorted by value when all are integers and bytewise
/// otherwise. A feature that is constant over the training samples keeps the scale 1. Throws Error when ParseCsv does;
/// when there are fewer than two classes; when the labels look like a measured quantity (see WhyMeasured); when the
/// second file has other columns (see MatchColumns); when the second file has a class that the first lacks or, with
/// `as_before`, when either has a class that is not among those; when two classes become the same in UTF-8; and when
/// the random part that is held out has no class in common with the rest. Adds notes on what is odd but possible: see
/// GuessHeader, NoteClasses, NoteColumns, NoteRounding and NoteEncoding.
DataSplit LoadCsv(const CsvOptions& options);

}  // namespace twofour::train
