#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/column_encoder.h"
#include "twofour/train/data/csv_categories.h"
#include "twofour/train/data/csv_checks.h"
#include "twofour/train/data/csv_evaluation.h"
#include "twofour/train/data/csv_scaling.h"
#include "twofour/train/data/csv_schema.h"
#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/shuffle.h"

namespace {

using twofour::train::CsvOptions;
using twofour::train::CsvTable;

void Check(const CsvTable& table, const CsvOptions& options) {
  assert(table.rows() > 0 && table.features > 0);
  assert(static_cast<int64_t>(table.values.size()) == table.rows() * table.features);
  assert(table.has_labels() ? table.lines.size() == table.labels.size() : table.labels.empty());
  assert(static_cast<int64_t>(table.targets.size()) == table.rows() * table.num_targets);
  for (double target : table.targets) assert(std::isfinite(target));
  for (int64_t row = 0; row < table.rows(); ++row) {
    for (int64_t j = 0; j < table.features; ++j) {
      const double value = table.value(row, j);
      const auto& categories = table.columns[table.feature_columns[static_cast<size_t>(j)]].categories;
      if (std::isnan(value)) {
        assert(options.missing != CsvOptions::Missing::kRefuse);
      } else if (categories.empty()) {
        assert(std::isfinite(value));
      } else {
        assert(value >= 0 && value == std::floor(value) && value < static_cast<double>(categories.size()));
      }
    }
  }
  for (int32_t label : table.labels) assert(label >= 0 && static_cast<size_t>(label) < table.label_names.size());
}

/// Makes the notes and the scaling of a table.
void Use(const CsvTable& table, const CsvOptions& options) {
  const std::vector<int64_t> rows = twofour::train::AllIndices(table.rows());
  assert(twofour::train::NoteColumns(table, rows, options).size() <= 6);
  assert(twofour::train::NoteEncoding(table).size() <= 1);
  const twofour::train::FeatureScaling scaling = twofour::train::MeasureScaling(table, rows);
  for (const double mean : scaling.mean) assert(std::isfinite(mean));
  for (const double stddev : scaling.stddev) assert(std::isfinite(stddev) && stddev > 0);
  assert(twofour::train::NoteRounding(table, rows, scaling).size() <= 1);
  if (!options.standardize) assert(twofour::train::NoteRounding(table, rows, {}).size() <= 2);
  for (const auto& group : twofour::train::SpelledAlike(table.label_names)) assert(group.size() >= 2);
}

/// Makes inputs of all rows.
void Encode(const CsvTable& table, const CsvOptions& options) {
  const std::vector<int64_t> rows = twofour::train::AllIndices(table.rows());
  const twofour::train::ColumnEncoder encoder(
      LearnSchema(table, rows, twofour::train::MeasureScaling(table, rows), options));
  const auto features = static_cast<size_t>(table.features);
  std::vector<float> inputs(static_cast<size_t>(encoder.inputs()));
  for (const int64_t row : rows) {
    const double* const values = table.values.data() + static_cast<size_t>(row) * features;
    if (encoder.Encode({values, features}, inputs)) continue;  // Too far from the mean.
    for (const float input : inputs) assert(std::isfinite(input));
  }
}

}  // namespace

/// Any text must be a table of finite numbers and categories, for which notes and samples can be made, or give an
/// Error. The first two bytes choose the options. Text after a NUL byte is a second file, to evaluate on.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr CsvOptions::Header kHeaders[] = {CsvOptions::Header::kAuto, CsvOptions::Header::kYes,
                                             CsvOptions::Header::kNo};
  constexpr std::string_view kLabels[] = {"-1", "0", "label", "2"};
  CsvOptions options;
  options.header = kHeaders[data[0] % 3];
  options.label = kLabels[data[0] / 3 % 4];
  options.delimiter = ",;\t "[data[0] / 12 % 4];
  options.decimal = ".,"[data[0] / 48 % 2];
  options.standardize = data[0] / 96 % 2 == 0;
  const uint8_t how = data[1];
  options.words = how % 2 == 0 ? CsvOptions::Words::kRefuse : CsvOptions::Words::kCategories;
  options.missing = static_cast<CsvOptions::Missing>(how / 2 % 3);
  if (how / 6 % 3 == 1) options.drop = {"1"};
  if (how / 6 % 3 == 2) options.categorical = {"1"};
  if (how / 18 % 2 == 1) options.targets = {std::string(kLabels[data[0] / 3 % 4]), "3"};
  if (how / 36 % 4 == 1) options.targets = {"label"};
  constexpr char kThousands[] = {'\0', ',', '.', ' ', '\''};
  options.thousands = kThousands[how / 36 % 5];
  if (options.thousands == options.decimal) options.thousands = '\0';
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t end = text.find('\0');
  try {
    const CsvTable table = twofour::train::ParseCsv(text.substr(0, end), options, "fuzz");
    Check(table, options);
    Use(table, options);
    if (end != std::string_view::npos) {
      CsvTable eval = twofour::train::ParseCsv(text.substr(end + 1), options, "eval", &table);
      twofour::train::MatchColumns(table, eval, options);
      Check(eval, options);
      assert(!table.has_header() || !eval.has_header() || eval.feature_names == table.feature_names);
      twofour::train::UseCategories(twofour::train::FeatureColumns(table), eval, "eval", "fuzz");
      Check(eval, options);
      twofour::train::NoteSameRows(table, eval, options);
    }
    twofour::train::RequireDistinctInUtf8(table, "fuzz");
    Encode(table, options);
    if (table.has_labels()) twofour::train::RequireClasses(table, options, "fuzz");
  } catch (const twofour::Error&) {
  }
  return 0;
}
