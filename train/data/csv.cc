#include "twofour/train/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/parallel.h"
#include "twofour/train/data/class_notes.h"
#include "twofour/train/data/csv_checks.h"
#include "twofour/train/data/csv_evaluation.h"
#include "twofour/train/data/csv_scaling.h"
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

/// Sorts class names; when all are integers, by value, so that 2 comes before 10.
std::vector<std::string> SortedClasses(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  if (std::all_of(names.begin(), names.end(), ParseInteger)) {
    std::stable_sort(names.begin(), names.end(),
                     [](const std::string& a, const std::string& b) { return *ParseInteger(a) < *ParseInteger(b); });
  }
  return names;
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

std::shared_ptr<const Dataset> MakeDataset(const CsvTable& table, std::span<const int64_t> rows,
                                           const std::vector<int32_t>& class_of_label, int64_t num_classes,
                                           const FeatureScaling& scaling, const std::string& path) {
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t cols = table.features;
  Tensor inputs = Tensor::Empty({count, cols});
  Tensor labels = Tensor::Empty({count}, DType::kI32);
  float* input = inputs.mutable_data<float>();
  int32_t* label = labels.mutable_data<int32_t>();
  ParallelFor(count, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double* values = table.values.data() + rows[i] * cols;
      for (int64_t j = 0; j < cols; ++j) {
        const double scaled = ScaledFeature(scaling, static_cast<size_t>(j), values[j]);
        if (!(std::abs(scaled) <= std::numeric_limits<float>::max())) {
          throw Error(fmt::format("{}: line {}: {} is too far from the training mean {} (standard deviation {})", path,
                                  table.lines[rows[i]], values[j], scaling.mean[j], scaling.stddev[j]));
        }
        input[i * cols + j] = static_cast<float>(scaled);
      }
      label[i] = class_of_label[table.labels[rows[i]]];
    }
  });
  return std::make_shared<InMemoryDataset>(inputs, labels, num_classes);
}

/// The scaling that the model was made with. Throws Error where it does not fit this table or the options.
FeatureScaling ScalingAsBefore(const CsvTable& table, const CsvOptions& options) {
  const FeatureScaling& scaling = options.as_before->scaling;
  if (options.standardize == scaling.mean.empty()) {
    throw Error(fmt::format("csv: standardize: {}, but the model was made with features that are {}scaled",
                            options.standardize, options.standardize ? "not " : ""));
  }
  if (options.standardize && static_cast<int64_t>(scaling.mean.size()) != table.features) {
    throw Error(fmt::format("{}: {} features, but the model was made with {}", options.path, table.features,
                            scaling.mean.size()));
  }
  return scaling;
}

void AddNotes(std::vector<std::string> added, std::vector<std::string>& notes) {
  std::ranges::move(added, std::back_inserter(notes));
}

}  // namespace

void Check(const CsvOptions& options, const FieldPath& at, Faults& faults) {
  faults.NotEmpty(at("path"), options.path);
  faults.OpenFraction(at("eval_fraction"), options.eval_fraction);
}

DataSplit LoadCsv(const CsvOptions& options) {
  Checked(options, "csv: ", ": got ");
  const CsvTable table = ReadTable(options, options.path);
  if (!options.as_before) RequireClasses(table, options, options.path);
  if (!options.earlier_rules) RequireDistinctInUtf8(table, options.path);
  DataSplit split;
  split.class_names = options.as_before ? options.as_before->class_names : SortedClasses(table.label_names);
  split.feature_names = table.feature_names;
  split.label_name = table.label_name;
  split.label_column = table.label_column;
  const auto num_classes = static_cast<int64_t>(split.class_names.size());
  const bool has_eval = !options.eval_path.empty();
  CsvTable own_eval_table = has_eval ? ReadTable(options, options.eval_path, &table) : CsvTable{};
  if (has_eval) MatchColumns(table, own_eval_table, options);
  const CsvTable& eval_table = has_eval ? own_eval_table : table;
  const std::string& eval_path = has_eval ? options.eval_path : options.path;
  const SplitIndices rows = has_eval ? SplitIndices{AllIndices(table.rows()), AllIndices(eval_table.rows())}
                                     : SplitByFraction(table.rows(), options.eval_fraction, options.split_seed);

  if (options.as_before) {
    split.scaling = ScalingAsBefore(table, options);
  } else if (options.standardize) {
    split.scaling =
        options.earlier_rules ? MeasureScalingAsEarlier(table, rows.train) : MeasureScaling(table, rows.train);
  }
  split.inputs =
      options.standardize ? "float32((column - feature_mean) / feature_std), computed in float64" : "float32(column)";
  split.train = MakeDataset(table, rows.train, ClassOfLabel(table, split.class_names, options, options.path),
                            num_classes, split.scaling, options.path);
  split.eval = MakeDataset(eval_table, rows.eval, ClassOfLabel(eval_table, split.class_names, options, eval_path),
                           num_classes, split.scaling, eval_path);
  if (!options.as_before) RequireCommonClass(split, options.path);
  split.notes = table.notes;
  AddNotes(own_eval_table.notes, split.notes);
  if (has_eval) {
    if (auto note = NoteSameRows(table, own_eval_table, options)) split.notes.push_back(std::move(*note));
  }
  AddNotes(NoteColumns(table, rows.train, options), split.notes);
  AddNotes(NoteRounding(table, rows.train, split.scaling), split.notes);
  AddNotes(NoteEncoding(table), split.notes);
  NoteClasses(split);
  split.description = fmt::format(
      "csv {}: {} training and {} evaluation samples of {} features, {} classes, header: {}", options.path,
      split.train->size(), split.eval->size(), table.features, num_classes, table.has_header() ? "yes" : "no");
  return split;
}

}  // namespace twofour::train
