#include "twofour/train/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/parallel.h"
#include "twofour/train/data/class_notes.h"
#include "twofour/train/data/column_encoder.h"
#include "twofour/train/data/csv_categories.h"
#include "twofour/train/data/csv_checks.h"
#include "twofour/train/data/csv_evaluation.h"
#include "twofour/train/data/csv_scaling.h"
#include "twofour/train/data/csv_schema.h"
#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/gzip.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/data/split.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

CsvTable ReadTable(const CsvOptions& options, const std::string& path, const CsvTable* like = nullptr) {
  std::vector<std::byte> bytes = FileSystem::Default().ReadFile(path, kMaxFileBytes);
  if (IsGzip(bytes)) bytes = Decompress(bytes, kMaxFileBytes, path);
  return ParseCsv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options, path, like);
}

/// The class of each of the table's label names. Throws Error on a name that is no class.
std::vector<int32_t> ClassOfLabel(const CsvTable& table, const std::vector<std::string>& classes,
                                  const CsvOptions& options, const std::string& path) {
  std::unordered_map<std::string_view, int32_t> numbers;
  for (size_t i = 0; i < classes.size(); ++i) numbers.emplace(classes[i], static_cast<int32_t>(i));
  std::vector<int32_t> result;
  for (size_t label = 0; label < table.label_names.size(); ++label) {
    const std::string& name = table.label_names[label];
    const auto found = numbers.find(options.as_before ? AsUtf8(name) : name);
    if (found == numbers.end()) {
      const auto row = std::find(table.labels.begin(), table.labels.end(), static_cast<int32_t>(label));
      throw Error(fmt::format("{}: line {}: class {} {}{}", path, table.lines[row - table.labels.begin()], Quoted(name),
                              options.as_before ? "is none that the model was made with"
                                                : fmt::format("does not occur in {}", options.path),
                              SimilarClass(name, classes)));
    }
    result.push_back(found->second);
  }
  return result;
}

/// The rows' inputs. [rows, inputs]
Tensor EncodeRows(const CsvTable& table, std::span<const int64_t> rows, const ColumnEncoder& encoder,
                  const std::string& path) {
  const auto count = static_cast<int64_t>(rows.size());
  const auto features = static_cast<size_t>(table.features), cols = static_cast<size_t>(encoder.inputs());
  Tensor inputs = Tensor::Empty({count, encoder.inputs()});
  float* const input = inputs.mutable_data<float>();
  ParallelFor(count, RowGrain(encoder.inputs()), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const auto row = static_cast<size_t>(rows[i]);
      const auto fault = encoder.Encode({table.values.data() + row * features, features}, {input + i * cols, cols});
      if (!fault) continue;
      const std::string where = fmt::format("{}: line {}: feature {}", path, table.lines[row],
                                            FeatureName(table, static_cast<int64_t>(fault->feature)));
      if (fault->kind == ColumnEncoder::Fault::Kind::kTooFar) {
        throw Error(fmt::format("{}: {} is too far from the training samples", where,
                                table.values[row * features + fault->feature]));
      }
      throw Error(fmt::format("{} is missing, and nothing takes its place", where));
    }
  });
  return inputs;
}

/// The rows' targets, scaled. [rows, targets]
Tensor TargetsOf(const CsvTable& table, std::span<const int64_t> rows, const FeatureScaling& scaling,
                 const std::string& path) {
  const auto count = static_cast<size_t>(table.num_targets);
  Tensor targets = Tensor::Empty({std::ssize(rows), table.num_targets});
  float* target = targets.mutable_data<float>();
  for (const int64_t row : rows) {
    for (size_t t = 0; t < count; ++t) {
      const double value = table.targets[static_cast<size_t>(row) * count + t];
      const std::optional<float> scaled = scaling.ScaleToFloat(t, value);
      if (!scaled) {
        throw Error(fmt::format("{}: line {}: the target {} is too far from those of the training samples", path,
                                table.lines[static_cast<size_t>(row)], value));
      }
      *target++ = *scaled;
    }
  }
  return targets;
}

std::shared_ptr<const Dataset> MakeDataset(const CsvTable& table, std::span<const int64_t> rows,
                                           const TableSchema& schema, const std::vector<std::string>& classes,
                                           const CsvOptions& options, const std::string& path) {
  const Tensor inputs = EncodeRows(table, rows, ColumnEncoder(schema), path);
  if (!table.has_labels()) {
    return std::make_shared<InMemoryDataset>(inputs, TargetsOf(table, rows, schema.target_scaling, path));
  }
  const std::vector<int32_t> class_of_label = ClassOfLabel(table, classes, options, path);
  Tensor labels = Tensor::Empty({std::ssize(rows)}, DType::kI32);
  int32_t* label = labels.mutable_data<int32_t>();
  for (const int64_t row : rows) {
    *label++ = class_of_label[static_cast<size_t>(table.labels[static_cast<size_t>(row)])];
  }
  return std::make_shared<InMemoryDataset>(inputs, labels, std::ssize(classes));
}

/// Throws Error where categories make so many inputs of a small file that they may not fit into memory.
void RequireFewInputs(const TableSchema& schema, int64_t rows, const std::string& path) {
  constexpr int64_t kMostNumbers = int64_t{1} << 32;
  const int64_t inputs = schema.inputs();
  if (inputs <= std::min(kMaxFeatures, kMostNumbers / rows)) return;
  const auto most = std::ranges::max_element(schema.columns, {}, &TableColumn::inputs);
  throw Error(
      fmt::format("{}: {} inputs of {} rows, expected at most {}; {} has {} categories", path, inputs, rows,
                  std::min(kMaxFeatures, kMostNumbers / rows),
                  NameOfColumn(most->name, static_cast<size_t>(most - schema.columns.begin()), schema.has_names),
                  most->categories.size()));
}

void AddNotes(std::vector<std::string> added, std::vector<std::string>& notes) {
  std::ranges::move(added, std::back_inserter(notes));
}

}  // namespace

void Check(const CsvOptions& options, const FieldPath& at, Faults& faults) {
  faults.NotEmpty(at("path"), options.path);
  faults.OpenFraction(at("eval_fraction"), options.eval_fraction);
  faults.Positive(at("divide_by"), options.divide_by);
  const bool one_use = options.thousands == '\0' || options.thousands != options.decimal;
  faults.Expect(one_use, at("thousands"), fmt::format("'{}'", options.thousands), "another character than decimal");
}

DataSplit LoadCsv(const CsvOptions& options) {
  Checked(options, "csv: ", ": got ");
  CsvTable table = ReadTable(options, options.path);
  if (table.has_labels() && !options.as_before) RequireClasses(table, options, options.path);
  if (!options.earlier_rules) RequireDistinctInUtf8(table, options.path);
  DataSplit split;
  if (table.has_labels()) {
    split.class_names = options.as_before ? options.as_before->class_names : SortedNames(table.label_names);
    split.label_name = table.label_name;
    split.label_column = table.label_column;
  }
  const bool has_eval = !options.eval_path.empty();
  CsvTable own_eval_table = has_eval ? ReadTable(options, options.eval_path, &table) : CsvTable{};
  if (has_eval) MatchColumns(table, own_eval_table, options);
  std::optional<TableSchema> as_before;
  if (options.as_before) {
    as_before = SchemaAsBefore(table, options);
    const ColumnEncoder before(*as_before);
    UseCategories(before.columns(), table, options.path, "the model");
    if (has_eval) UseCategories(before.columns(), own_eval_table, options.eval_path, "the model");
  } else if (has_eval) {
    UseCategories(FeatureColumns(table), own_eval_table, options.eval_path, options.path);
  }
  const CsvTable& eval_table = has_eval ? own_eval_table : table;
  const std::string& eval_path = has_eval ? options.eval_path : options.path;
  const SplitIndices rows = has_eval ? SplitIndices{AllIndices(table.rows()), AllIndices(eval_table.rows())}
                                     : SplitByFraction(table.rows(), options.eval_fraction, options.split_seed);

  if (!options.as_before) RequireTargetsVary(table, rows.train, options, options.path);
  const FeatureScaling scaling =
      options.earlier_rules ? MeasureScalingAsEarlier(table, rows.train) : MeasureScaling(table, rows.train);
  const TableSchema schema = as_before ? *as_before : LearnSchema(table, rows.train, scaling, options);
  split.inputs = !schema.scaling.mean.empty() ? "float32((column - feature_mean) / feature_std), computed in float64"
                                              : "float32(column)";
  if (!std::ranges::all_of(schema.columns, &TableColumn::is_plain)) split.inputs += "; columns says which and how";
  RequireFewInputs(schema, table.rows() + own_eval_table.rows(), options.path);
  split.train = MakeDataset(table, rows.train, schema, split.class_names, options, options.path);
  split.eval = MakeDataset(eval_table, rows.eval, schema, split.class_names, options, eval_path);
  split.feature_names = schema.InputNames();
  if (table.has_labels() && !options.as_before) RequireCommonClass(split, options.path);
  split.notes = table.notes;
  AddNotes(own_eval_table.notes, split.notes);
  if (has_eval) {
    if (auto note = NoteSameRows(table, own_eval_table, options)) split.notes.push_back(std::move(*note));
  }
  AddNotes(NoteColumns(table, rows.train, options), split.notes);
  AddNotes(NoteRounding(table, rows.train, options.standardize ? scaling : FeatureScaling{}), split.notes);
  AddNotes(NoteEncoding(table), split.notes);
  if (table.has_labels()) NoteClasses(split);
  const int64_t inputs = schema.inputs();
  split.description =
      fmt::format("csv {}{}: {} training and {} evaluation samples of {} features{}, {}, header: {}", options.path,
                  has_eval ? ", " + options.eval_path : "", split.train->size(), split.eval->size(), table.features,
                  inputs == table.features ? "" : fmt::format(" ({} inputs)", inputs),
                  table.has_labels() ? fmt::format("{} classes", split.class_names.size())
                                     : fmt::format("{} target{}", table.num_targets, table.num_targets == 1 ? "" : "s"),
                  table.has_header() ? "yes" : "no");
  split.table = schema;
  return split;
}

}  // namespace twofour::train
