#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

struct CsvOptions {
  enum class Header {
    kAuto,  ///< As GuessHeader has it, with a note where that is not certain.
    kYes,
    kNo,
  };

  std::string path;
  /// A second file to evaluate on. Without it, a random part of the first is held out.
  std::string eval_path;
  /// The column of the class: its name or, where no column has that name, its index (from 0; negative from the end).
  std::string label = "-1";
  char delimiter = ',';
  char decimal = '.';  ///< Between whole numbers and fractions: a point or a comma.
  Header header = Header::kAuto;
  /// Subtract the mean of each feature and divide by its standard deviation, both those of the training samples.
  bool standardize = true;
  double eval_fraction = 0.2;  ///< The part held out.
  uint64_t split_seed = 1;
  /// Classes and scaling that a model was made with, in place of those of this data.
  std::optional<SamplesAsBefore> as_before = std::nullopt;
  bool numeric_classes = false;  ///< Take any numbers for classes, even where they look like a measured quantity.
  /// Guess headers, find columns and measure scales as an earlier twofour did, for runs that it has begun.
  bool earlier_rules = false;
};

/// A path, and a part to hold out that leaves something of both.
void Check(const CsvOptions& options, const FieldPath& at, Faults& faults);

/// Loads one or two CSV files of up to 1 GiB. Where both have headers, the columns of the second are found by name. The
/// distinct labels of `path` become the classes, sorted by value when all are integers and bytewise otherwise. A
/// feature that is constant over the training samples keeps the scale 1. Throws Error when ParseCsv does; when there
/// are fewer than two classes; when the labels look like a measured quantity (see WhyMeasured); when the second file
/// has other columns (see MatchColumns); when the second file has a class that the first lacks or, with `as_before`,
/// when either has a class that is not among those; when two classes become the same in UTF-8; and when the random part
/// that is held out has no class in common with the rest. Adds notes on what is odd but possible: see GuessHeader,
/// NoteClasses, NoteColumns, NoteRounding and NoteEncoding.
DataSplit LoadCsv(const CsvOptions& options);

}  // namespace twofour::train
