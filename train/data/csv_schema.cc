#include "twofour/train/data/csv_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_scaling.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

/// Says of each feature what takes the place of a missing value. `means` are those of the features.
void ChooseFills(const CsvTable& table, std::span<const int64_t> rows, const std::vector<double>& means,
                 const CsvOptions& options, TableSchema& schema) {
  if (options.missing == CsvOptions::Missing::kRefuse) return;
  const bool mean_alone = options.missing == CsvOptions::Missing::kMean;
  for (int64_t j = 0; j < table.features; ++j) {
    const auto i = static_cast<size_t>(j);
    TableColumn& column = schema.columns[table.feature_columns[i]];
    const auto is_missing = [&](int64_t row) { return std::isnan(table.value(row, j)); };
    if (std::ranges::all_of(rows, is_missing)) {
      throw Error(fmt::format("{}: feature {} is missing in all {} rows to train on; data.csv.drop leaves it out",
                              options.path, FeatureName(table, j), rows.size()));
    }
    if (column.categories.empty()) column.fill = means[i];
    // Where training never sees a missing value, an input for it would keep its random weights.
    column.missing_input = (!mean_alone || !column.categories.empty()) && std::ranges::any_of(rows, is_missing);
  }
}

/// The features' scaling as that of the inputs they become.
FeatureScaling ScalingOfInputs(const TableSchema& schema, const FeatureScaling& features) {
  FeatureScaling inputs;
  size_t j = 0;
  for (const size_t place : schema.Places(TableColumn::Use::kInput)) {
    const TableColumn& column = schema.columns[place];
    const auto count = static_cast<size_t>(column.inputs());
    const size_t begin = inputs.mean.size();
    inputs.mean.resize(begin + count, 0);
    inputs.stddev.resize(begin + count, 1);
    if (column.categories.empty()) {
      inputs.mean[begin] = features.mean[j];
      inputs.stddev[begin] = features.stddev[j];
    }
    ++j;
  }
  return inputs;
}

/// The table's columns, without what has to be learnt.
TableSchema ColumnsOf(const CsvTable& table) {
  TableSchema schema;
  schema.columns = table.columns;
  schema.has_names = table.has_header();
  schema.has_classes = table.has_labels();
  for (TableColumn& column : schema.columns) column.name = AsUtf8(column.name);
  return schema;
}

}  // namespace

TableSchema LearnSchema(const CsvTable& table, std::span<const int64_t> rows, const FeatureScaling& scaling,
                        const CsvOptions& options) {
  TableSchema schema = ColumnsOf(table);
  ChooseFills(table, rows, scaling.mean, options, schema);
  if (options.standardize) {
    schema.scaling = ScalingOfInputs(schema, scaling);
  } else if (options.divide_by != 1) {
    const auto features = static_cast<size_t>(table.features);
    schema.scaling =
        ScalingOfInputs(schema, {std::vector<double>(features, 0.0), std::vector<double>(features, options.divide_by)});
  }
  if (options.standardize_targets && !table.has_labels()) schema.target_scaling = MeasureTargetScaling(table, rows);
  return schema;
}

TableSchema SchemaAsBefore(const CsvTable& table, const CsvOptions& options) {
  const TableSchema& before = options.as_before->table;
  const bool scales = options.standardize || options.divide_by != 1;
  if (scales == before.scaling.mean.empty()) {
    throw Error(fmt::format("csv: standardize: {}, but the model was made with features that are {}scaled",
                            options.standardize, scales ? "not " : ""));
  }
  const std::vector<size_t> features = before.Places(TableColumn::Use::kInput);
  if (std::ssize(features) != table.features) {
    throw Error(
        fmt::format("{}: {} features, but the model was made with {}", options.path, table.features, features.size()));
  }
  TableSchema schema = ColumnsOf(table);
  const bool plain = std::ranges::all_of(before.columns, &TableColumn::is_plain);
  for (size_t j = 0; j < features.size() && before.has_names && schema.has_names && !plain; ++j) {
    const std::string &now = schema.columns[table.feature_columns[j]].name, &then = before.columns[features[j]].name;
    if (now == then) continue;
    throw Error(fmt::format("{}: feature {} is column {}, but the model was made with column {} there", options.path, j,
                            Quoted(now), Quoted(then)));
  }
  schema.scaling = before.scaling;
  schema.target_scaling = before.target_scaling;
  for (size_t j = 0; j < features.size(); ++j) {
    TableColumn& column = schema.columns[table.feature_columns[j]];
    const std::string name = column.name;
    column = before.columns[features[j]];
    column.name = name;
  }
  if (table.has_labels()) return schema;
  const size_t targets = before.Places(TableColumn::Use::kTarget).size();
  if (static_cast<int64_t>(targets) != table.num_targets || !options.as_before->class_names.empty()) {
    throw Error(fmt::format("{}: {} targets, but the model was made with {}", options.path, table.num_targets,
                            options.as_before->class_names.empty() ? fmt::format("{}", targets) : "classes"));
  }
  if (options.standardize_targets == before.target_scaling.mean.empty()) {
    throw Error(fmt::format("csv: standardize_targets: {}, but the model was made with targets that are {}scaled",
                            options.standardize_targets, options.standardize_targets ? "not " : ""));
  }
  return schema;
}

}  // namespace twofour::train
