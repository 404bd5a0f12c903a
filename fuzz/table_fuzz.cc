#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/csv_stream.h"
#include "twofour/train/data/table_inputs.h"

namespace {

using namespace twofour::train;

std::vector<CsvRow> ReadWhole(std::string_view text, char delimiter, bool& faulty) {
  std::vector<CsvRow> rows;
  try {
    CsvReader reader(text, delimiter, "fuzz");
    for (CsvRow row; reader.Next(row);) rows.push_back(row);
  } catch (const twofour::Error&) {
    faulty = true;
  }
  return rows;
}

/// Cells that are written must be read back as they were.
void CheckCells(const CsvRow& row, char delimiter) {
  std::string line;
  for (const std::string& cell : row.cells) {
    if (!line.empty()) line += delimiter;
    line += AsCsvCell(cell, delimiter);
  }
  CsvReader reader(line, delimiter, "cells", CsvReader::Part::kLater);
  CsvRow again;
  assert(reader.Next(again) && again.cells == row.cells && !reader.Next(again));
}

void Use(const std::vector<CsvRow>& rows, CsvOptions csv, uint8_t choice) {
  using Use = TableColumn::Use;
  const bool missing = choice / 16 % 2 == 1;
  TableSchema schema;
  schema.columns = {{.name = "x", .fill = missing ? std::optional(3.0) : std::nullopt, .missing_input = missing},
                    {.name = choice % 4 == 0 ? "y" : "x", .categories = {}},
                    {.name = "c", .categories = {"a", "b"}, .missing_input = missing},
                    {.name = "id", .use = Use::kDropped}};
  schema.columns.insert(schema.columns.begin() + choice % 5, {.name = "k", .use = Use::kTarget});
  schema.has_names = choice % 2 == 0;
  schema.has_classes = choice / 32 % 2 == 0;
  const auto features = static_cast<size_t>(schema.inputs());
  schema.scaling = {std::vector<double>(features, 1e300), std::vector<double>(features, 1e-300)};
  schema.scaling.mean[0] = 1;
  if (!schema.has_classes) schema.target_scaling = {{5}, {1e-10}};
  if (missing) csv.missing = CsvOptions::Missing::kCategory;
  const TableWishes wishes{.targets = choice % 8 < 4, .ignore_extra = choice % 16 < 8};
  const TableInputs table(rows[0], schema, csv, wishes, "fuzz");
  for (size_t i = table.has_header() ? 1 : 0; i < rows.size(); ++i) {
    const CsvRow& row = rows[i];
    std::vector<float> inputs(features), targets(1);
    table.Encode(row, inputs);
    for (const float input : inputs) assert(std::isfinite(input));
    if (!wishes.targets) continue;
    if (schema.has_classes) {
      assert(!table.Label(row).empty());
    } else {
      table.Targets(row, targets);
      assert(std::isfinite(targets[0]));
    }
  }
}

}  // namespace

/// A text must give the same rows in blocks of any size as in one piece, and each row inputs that are finite or an
/// Error. The first two bytes choose the options.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  CsvOptions csv;
  csv.delimiter = ",;\t "[data[0] % 4];
  csv.decimal = ".,"[data[0] / 4 % 2];
  const size_t block = 1 + data[0] / 8;
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  bool faulty = false;
  const std::vector<CsvRow> whole = ReadWhole(text, csv.delimiter, faulty);
  try {
    std::istringstream in(text);
    CsvStream stream(in, csv.delimiter, "fuzz", block);
    size_t count = 0;
    for (CsvRow row; stream.Next(row); ++count) {
      if (faulty) continue;  // A fault of the whole may come before the first row.
      assert(count < whole.size() && row.cells == whole[count].cells && row.line == whole[count].line);
      CheckCells(row, csv.delimiter);
    }
    assert(faulty || count == whole.size());
  } catch (const twofour::Error&) {
    assert(faulty);
  }
  try {
    if (!whole.empty()) Use(whole, csv, data[1]);
  } catch (const twofour::Error&) {
  }
  return 0;
}
