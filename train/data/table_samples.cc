#include "twofour/train/data/table_samples.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
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
  wishes.targets = true;
  const std::unique_ptr<std::istream> file = OpenTable(path);
  CsvStream rows(*file, csv.delimiter, path);
  CsvRow row;
  if (!rows.Next(row)) throw Error(fmt::format("{}: the file is empty", path));
  const TableInputs table(row, schema, csv, wishes, path);
  std::unordered_map<std::string_view, int32_t> numbers;
  for (size_t i = 0; i < class_names.size(); ++i) numbers.emplace(class_names[i], static_cast<int32_t>(i));
  const auto features = static_cast<size_t>(schema.inputs());
  const size_t num_targets = class_names.empty() ? schema.Places(TableColumn::Use::kTarget).size() : 0;
  std::vector<float> inputs, targets;
  std::vector<int32_t> labels;
  int64_t count = 0;
  for (bool more = !table.has_header() || rows.Next(row); more; more = rows.Next(row)) {
    inputs.resize(inputs.size() + features);
    table.Encode(row, std::span(inputs).last(features));
    ++count;
    if (class_names.empty()) {
      targets.resize(targets.size() + num_targets);
      table.Targets(row, std::span(targets).last(num_targets));
      continue;
    }
    const std::string& label = table.Label(row);
    const auto found = numbers.find(AsUtf8(label));
    if (found == numbers.end()) {
      throw Error(fmt::format("{}: line {}: class {} is none that the model was made with{}", path, row.line,
                              Quoted(label), SimilarClass(label, class_names)));
    }
    labels.push_back(found->second);
  }
  if (count == 0) throw Error(fmt::format("{}: no rows after the header", path));
  const Tensor samples = Tensor::FromVector(inputs, {count, schema.inputs()});
  if (class_names.empty()) {
    const Tensor numbers_to_predict = Tensor::FromVector(targets, {count, static_cast<int64_t>(num_targets)});
    return {std::make_shared<InMemoryDataset>(samples, numbers_to_predict), table.notes()};
  }
  const Tensor classes = Tensor::FromVector(labels, {count});
  return {std::make_shared<InMemoryDataset>(samples, classes, std::ssize(class_names)), table.notes()};
}

}  // namespace twofour::train
