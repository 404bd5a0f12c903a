#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_checks.h"
#include "twofour/train/data/csv_evaluation.h"
#include "twofour/train/data/csv_scaling.h"
#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/shuffle.h"

namespace {

using twofour::train::CsvOptions;
using twofour::train::CsvTable;

void Check(const CsvTable& table) {
  assert(table.rows() > 0 && table.features > 0);
  assert(static_cast<int64_t>(table.values.size()) == table.rows() * table.features);
  assert(table.lines.size() == table.labels.size());
  for (double value : table.values) assert(std::isfinite(value));
  for (int32_t label : table.labels) assert(label >= 0 && static_cast<size_t>(label) < table.label_names.size());
}

/// Makes the notes and the scaling of a table.
void Use(const CsvTable& table, const CsvOptions& options) {
  const std::vector<int64_t> rows = twofour::train::AllIndices(table.rows());
  assert(twofour::train::NoteColumns(table, rows, options).size() <= 5);
  assert(twofour::train::NoteEncoding(table).size() <= 1);
  const twofour::train::FeatureScaling scaling = twofour::train::MeasureScaling(table, rows);
  for (const double mean : scaling.mean) assert(std::isfinite(mean));
  for (const double stddev : scaling.stddev) assert(std::isfinite(stddev) && stddev > 0);
  assert(twofour::train::NoteRounding(table, rows, scaling).size() <= 1);
  if (!options.standardize) assert(twofour::train::NoteRounding(table, rows, {}).size() <= 2);
  for (const auto& group : twofour::train::SpelledAlike(table.label_names)) assert(group.size() >= 2);
}

}  // namespace

/// Any text must be a table of finite numbers, for which notes can be made, or give an Error. The first byte chooses
/// the options. Text after a NUL byte is a second file, to evaluate on.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr CsvOptions::Header kHeaders[] = {CsvOptions::Header::kAuto, CsvOptions::Header::kYes,
                                             CsvOptions::Header::kNo};
  constexpr std::string_view kLabels[] = {"-1", "0", "label", "2"};
  CsvOptions options;
  options.header = kHeaders[data[0] % 3];
  options.label = kLabels[data[0] / 3 % 4];
  options.delimiter = ",;\t "[data[0] / 12 % 4];
  options.decimal = ".,"[data[0] / 48 % 2];
  options.standardize = data[0] / 96 % 2 == 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t end = text.find('\0');
  try {
    const CsvTable table = twofour::train::ParseCsv(text.substr(0, end), options, "fuzz");
    Check(table);
    Use(table, options);
    if (end != std::string_view::npos) {
      CsvTable eval = twofour::train::ParseCsv(text.substr(end + 1), options, "eval", &table);
      twofour::train::MatchColumns(table, eval, options);
      Check(eval);
      assert(!table.has_header() || !eval.has_header() || eval.feature_names == table.feature_names);
      twofour::train::NoteSameRows(table, eval, options);
    }
    twofour::train::RequireDistinctInUtf8(table, "fuzz");
    twofour::train::RequireClasses(table, options, "fuzz");
  } catch (const twofour::Error&) {
  }
  return 0;
}
