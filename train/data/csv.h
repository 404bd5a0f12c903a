#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// What a model was made with. Samples that are loaded for that model must use it, whatever their data.
struct SamplesAsBefore {
  std::vector<std::string> class_names;  ///< As AsUtf8 returns them.
  TableSchema table;
};

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
  /// Columns of numbers to predict, named like `label`. If there are any, nothing is the label.
  std::vector<std::string> targets = {};
  std::vector<std::string> drop = {};         ///< Columns that are left out, named like `label`.
  std::vector<std::string> categorical = {};  ///< Columns of categories, although they may hold numbers.
  /// What a feature that holds words alone is.
  enum class Words {
    kRefuse,      ///< An error.
    kCategories,  ///< Categories. Columns of too many words, and of words and numbers, are an error.
  };
  Words words = Words::kRefuse;
  /// What an empty cell of a feature is, and one that LooksMissing. A missing target is always an error.
  enum class Missing {
    kRefuse,    ///< An error, but for a word in a column of categories.
    kMean,      ///< The column's mean over the training samples. In a column of categories, a category of its own.
    kCategory,  ///< The same, and one more input says that a number is missing, if one is in the training samples.
  };
  Missing missing = Missing::kRefuse;
  char delimiter = ',';
  char decimal = '.';     ///< The decimal separator: a point or a comma.
  char thousands = '\0';  ///< What may stand between groups of three digits: one of ,.'_ or a blank; 0: nothing.
  Header header = Header::kAuto;
  /// Subtract the mean of each feature and divide by its standard deviation. Both are those of the training samples.
  bool standardize = true;
  bool standardize_targets = true;  ///< The same for each target.
  double divide_by = 1;             ///< Divide features that are numbers by this. Not beside standardize.
  double eval_fraction = 0.2;       ///< The part that is held out.
  uint64_t split_seed = 1;
  /// Classes, categories and scaling that a model was made with. They replace those of this data.
  std::optional<SamplesAsBefore> as_before = std::nullopt;
  bool numeric_classes = false;  ///< Accept any numbers as classes, even if they look like a measured quantity.
  /// Guess headers, find columns and measure scales as an earlier twofour did, for runs that it began.
  bool earlier_rules = false;
};

/// Rules: there is a path, eval_fraction is between 0 and 1, both excluded, and no character is two separators.
void Check(const CsvOptions& options, const FieldPath& at, Faults& faults);

/// Loads one or two CSV files of up to 1 GiB, gzip'd or not. Where both have headers, the columns of the second are
/// found by name. The distinct labels of `path` become the classes, sorted by value when all are integers and bytewise
/// otherwise, and so do the words of columns of categories. A number that is constant over the training samples keeps
/// the scale 1. Throws Error when ParseCsv does; when there are fewer than two classes; when the labels look like a
/// measured quantity (see WhyMeasured); when a target is constant over the training samples; when the second file has
/// other columns (see MatchColumns); when the second file has a class or category that the first lacks or, with
/// `as_before`, when either has one that is not among those; when two classes become the same in UTF-8; when the random
/// part that is held out has no class in common with the rest; and when categories make too many inputs. Adds notes on
/// what is odd but possible: see GuessHeader, NoteClasses, NoteColumns, NoteRounding and NoteEncoding.
DataSplit LoadCsv(const CsvOptions& options);

}  // namespace twofour::train
