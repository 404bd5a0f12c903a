#include "twofour/train/data/table_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_stream.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {

TableSamples LoadTableSamples(const std::string& path, const TableSchema& schema,
                              const std::vector<std::string>& class_names, const CsvOptions& csv, TableWishes wishes) {
  wishes.label = true;
  const std::unique_ptr<std::istream> file = OpenTable(path);
  CsvStream rows(*file, csv.delimiter, path);
  CsvRow row;
  if (!rows.Next(row)) throw Error(fmt::format("{}: the file is empty", path));
  const TableInputs table(row, schema, csv, wishes, path);
  std::unordered_map<std::string_view, int32_t> numbers;
  for (size_t i = 0; i < class_names.size(); ++i) numbers.emplace(class_names[i], static_cast<int32_t>(i));
  const auto features = static_cast<size_t>(schema.features);
  std::vector<float> inputs;
  std::vector<int32_t> labels;
  for (bool more = !table.has_header() || rows.Next(row); more; more = rows.Next(row)) {
    inputs.resize(inputs.size() + features);
    table.Encode(row, std::span(inputs).last(features));
    const std::string& label = table.Label(row);
    const auto found = numbers.find(AsUtf8(label));
    if (found == numbers.end()) {
      throw Error(fmt::format("{}: line {}: class {} is none that the model was made with{}", path, row.line,
                              Quoted(label), SimilarClass(label, class_names)));
    }
    labels.push_back(found->second);
  }
  if (labels.empty()) throw Error(fmt::format("{}: no rows after the header", path));
  const auto count = static_cast<int64_t>(labels.size());
  Tensor samples = Tensor::Empty({count, schema.features}), classes = Tensor::Empty({count}, DType::kI32);
  std::ranges::copy(inputs, samples.mutable_data<float>());
  std::ranges::copy(labels, classes.mutable_data<int32_t>());
  return {std::make_shared<InMemoryDataset>(samples, classes, static_cast<int64_t>(class_names.size())), table.notes()};
}

}  // namespace twofour::train
