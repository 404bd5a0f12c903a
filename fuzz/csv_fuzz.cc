#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_checks.h"
#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/label_text.h"

/// Any text is a table of finite numbers, of which can be told what is odd about it, or an Error. The first byte
/// chooses the options.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using twofour::train::CsvOptions;
  if (size == 0) return 0;
  constexpr CsvOptions::Header kHeaders[] = {CsvOptions::Header::kAuto, CsvOptions::Header::kYes,
                                             CsvOptions::Header::kNo};
  constexpr std::string_view kLabels[] = {"-1", "0", "label", "2"};
  CsvOptions options;
  options.header = kHeaders[data[0] % 3];
  options.label = kLabels[data[0] / 3 % 4];
  options.delimiter = ",;\t "[data[0] / 12 % 4];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    const twofour::train::CsvTable table = twofour::train::ParseCsv(text, options, "fuzz");
    assert(table.rows() > 0 && table.features > 0);
    assert(static_cast<int64_t>(table.values.size()) == table.rows() * table.features);
    assert(table.lines.size() == table.labels.size());
    for (double value : table.values) assert(std::isfinite(value));
    for (int32_t label : table.labels) assert(label >= 0 && static_cast<size_t>(label) < table.label_names.size());
    std::vector<int64_t> rows(static_cast<size_t>(table.rows()));
    std::iota(rows.begin(), rows.end(), int64_t{0});
    assert(twofour::train::NoteColumns(table, rows, options).size() <= 3);
    for (const auto& group : twofour::train::SpelledAlike(table.label_names)) assert(group.size() >= 2);
    twofour::train::RequireClasses(table, options, "fuzz");
  } catch (const twofour::Error&) {
  }
  return 0;
}
