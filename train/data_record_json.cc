// How a DataRecord is written as JSON and read back.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/json.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data_record.h"

namespace twofour::train {
namespace {

constexpr size_t kMaxFiles = 64;
constexpr int kMaxDepth = 4;  // An object that holds an array of objects that hold arrays.

std::string ChecksumText(uint32_t crc) { return fmt::format("{:08x}", crc); }

template <typename T>
void Put(JsonObject& json, const char* key, const std::optional<T>& value) {
  if (value) json.Set(key, *value);
}

template <typename T>
void Put(JsonObject& json, const char* key, const std::vector<T>& values) {
  if (!values.empty()) json.Set(key, values);
}

struct NamedUse {
  std::string_view name;
  TableColumn::Use use;
};
constexpr NamedUse kUses[] = {{"INPUT", TableColumn::Use::kInput},
                              {"TARGET", TableColumn::Use::kTarget},
                              {"DROPPED", TableColumn::Use::kDropped}};

std::vector<JsonObject> ColumnsAsJson(const std::vector<TableColumn>& columns, bool has_names) {
  std::vector<JsonObject> objects;
  for (const TableColumn& column : columns) {
    JsonObject& object = objects.emplace_back();
    if (has_names) object.Set("name", column.name);
    object.Set("use", std::string(std::ranges::find(kUses, column.use, &NamedUse::use)->name));
    Put(object, "categories", column.categories);
    Put(object, "fill", column.fill);
    if (column.missing_input) object.Set("missing_input", true);
  }
  return objects;
}

/// Reads values of known types from a JSON object.
class Fields {
 public:
  Fields(const JsonValue& object, std::string source) : object_(object), source_(std::move(source)) {}

  std::optional<std::string> Text(const char* key) const {
    const std::optional<JsonValue> value = object_.Find(key);
    if (!value) return std::nullopt;
    if (!value->is_string()) Fail(key, "a string");
    return value->string();
  }

  std::optional<int64_t> Count(const char* key) const {
    const std::optional<JsonValue> value = object_.Find(key);
    if (!value) return std::nullopt;
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!value->is_unsigned() || value->unsigned_integer() > kMax) Fail(key, "an integer of at least 0");
    return value->integer();
  }

  bool Flag(const char* key) const {
    const std::optional<JsonValue> value = object_.Find(key);
    if (!value) return false;
    if (!value->is_boolean()) Fail(key, "true or false");
    return value->boolean();
  }

  std::vector<std::string> Texts(const char* key) const {
    std::vector<std::string> texts;
    for (const JsonValue& element : Array(key, "a list of strings")) {
      if (!element.is_string()) Fail(key, "a list of strings");
      texts.push_back(element.string());
    }
    return texts;
  }

  Shape Sizes(const char* key) const {
    Shape sizes;
    for (const JsonValue& element : Array(key, "a list of sizes")) {
      if (!element.is_unsigned() || element.unsigned_integer() < 1 || element.unsigned_integer() > kMaxFeatures) {
        Fail(key, fmt::format("a list of sizes, 1 to {}", kMaxFeatures).c_str());
      }
      sizes.push_back(element.integer());
    }
    return sizes;
  }

  std::vector<double> Numbers(const char* key) const {
    std::vector<double> numbers;
    for (const JsonValue& element : Array(key, "a list of numbers")) {
      if (!element.is_number() || !std::isfinite(element.number())) Fail(key, "a list of numbers");
      numbers.push_back(element.number());
    }
    return numbers;
  }

  std::vector<DataFile> Files(const char* key) const {
    const std::vector<JsonValue> array = Array(key, "a list of files");
    if (array.size() > kMaxFiles) Fail(key, fmt::format("at most {} files", kMaxFiles).c_str());
    std::vector<DataFile> files;
    for (const JsonValue& element : array) {
      if (!element.is_object()) Fail(key, "a list of files");
      const Fields fields(element, source_ + ": files");
      const std::optional<std::string> field = fields.Text("field"), path = fields.Text("path");
      const std::optional<int64_t> bytes = fields.Count("bytes");
      const std::optional<uint32_t> crc = fields.Checksum("crc32c");
      if (!field || !path || !bytes || !crc) Fail(key, "field, path, bytes and crc32c of each");
      if (std::ranges::find(files, *field, &DataFile::field) != files.end()) Fail(key, "each field once");
      files.push_back({*field, *path, {static_cast<uint64_t>(*bytes), *crc}});
    }
    return files;
  }

  std::vector<TableColumn> Columns(const char* key) const {
    const std::vector<JsonValue> array = Array(key, "a list of columns");
    if (array.size() > CsvReader::kMaxColumns) {
      Fail(key, fmt::format("at most {} columns", CsvReader::kMaxColumns).c_str());
    }
    std::vector<TableColumn> columns;
    for (const JsonValue& element : array) {
      if (!element.is_object()) Fail(key, "a list of columns");
      const Fields fields(element, source_ + ": columns");
      TableColumn& column = columns.emplace_back();
      column.name = fields.Text("name").value_or("");
      const std::optional<std::string> use = fields.Text("use");
      const auto known = std::ranges::find(kUses, use.value_or(""), &NamedUse::name);
      if (known == std::end(kUses)) fields.Fail("use", "INPUT, TARGET or DROPPED");
      column.use = known->use;
      column.categories = fields.Texts("categories");
      column.fill = fields.Number("fill");
      column.missing_input = fields.Flag("missing_input");
      const std::set<std::string> different(column.categories.begin(), column.categories.end());
      if (different.size() != column.categories.size()) fields.Fail("categories", "each category once");
      if (column.use != TableColumn::Use::kInput && !column.is_plain()) fields.Fail("use", "INPUT beside other fields");
    }
    return columns;
  }

  std::optional<double> Number(const char* key) const {
    const std::optional<JsonValue> value = object_.Find(key);
    if (!value) return std::nullopt;
    if (!value->is_number() || !std::isfinite(value->number())) Fail(key, "a number");
    return value->number();
  }

  std::optional<uint32_t> Checksum(const char* key) const {
    constexpr size_t kDigits = 8;
    constexpr int kHexadecimal = 16;
    const std::optional<std::string> text = Text(key);
    if (!text) return std::nullopt;
    uint32_t checksum = 0;
    const char* end = text->data() + text->size();
    if (text->size() != kDigits || std::from_chars(text->data(), end, checksum, kHexadecimal).ptr != end) {
      Fail(key, "8 hexadecimal digits");
    }
    return checksum;
  }

  [[noreturn]] void Fail(const char* key, const char* expected) const {
    throw Error(fmt::format("{}: \"{}\": expected {}", source_, key, expected));
  }

 private:
  /// The elements of a list; none where the key is missing.
  std::vector<JsonValue> Array(const char* key, const char* expected) const {
    const std::optional<JsonValue> value = object_.Find(key);
    if (!value) return {};
    if (!value->is_array()) Fail(key, expected);
    return value->elements();
  }

  JsonValue object_;
  std::string source_;
};

JsonDocument ParseObject(std::string_view text, const std::string& source) {
  if (text.size() > DataRecord::kMaxJsonBytes) {
    throw Error(fmt::format("{}: {} bytes, expected at most {}", source, text.size(), DataRecord::kMaxJsonBytes));
  }
  const auto check_depth = [&source](int depth, bool /*is_array*/) {
    if (depth >= kMaxDepth) throw Error(fmt::format("{}: nested deeper than {} levels", source, kMaxDepth));
  };
  JsonDocument json = JsonDocument::Parse(text, source, {.on_begin = check_depth});
  if (!json.root().is_object()) throw Error(fmt::format("{}: expected a JSON object", source));
  return json;
}

/// Throws Error where a list with an entry for each feature has the wrong length, or a standard deviation is not
/// positive.
void CheckFeatures(const DataRecord& record, const Fields& fields) {
  if (record.features.value_or(0) > kMaxFeatures) {
    fields.Fail("features", fmt::format("at most {}", kMaxFeatures).c_str());
  }
  int64_t product = 1;
  for (const int64_t size : record.sample_shape) product = std::min(product * size, kMaxFeatures + 1);
  if (!record.sample_shape.empty() && product != record.features.value_or(0)) {
    fields.Fail("sample_shape", "sizes whose product is the number of features");
  }
  const auto count = static_cast<size_t>(record.features.value_or(0));
  if (record.feature_mean.size() != record.feature_std.size() ||
      (!record.feature_mean.empty() && record.feature_mean.size() != count)) {
    fields.Fail("feature_mean", "as many numbers as there are features, and as many in feature_std");
  }
  if (!record.feature_names.empty() && record.feature_names.size() != count) {
    fields.Fail("feature_names", "as many as there are features");
  }
  for (const double deviation : record.feature_std) {
    if (!(deviation > 0)) fields.Fail("feature_std", "numbers above 0");
  }
}

/// Throws Error where the columns of a table do not fit the rest of the record.
void CheckColumns(const DataRecord& record, const Fields& fields) {
  if (record.target_mean.size() != record.target_std.size()) {
    fields.Fail("target_mean", "as many numbers as in target_std");
  }
  for (const double deviation : record.target_std) {
    if (!(deviation > 0)) fields.Fail("target_std", "numbers above 0");
  }
  if (record.columns.empty()) {
    if (!record.target_mean.empty()) fields.Fail("target_mean", "none without columns");
    return;
  }
  const TableSchema table = SchemaOf(record);
  if (table.inputs() < 1 || table.inputs() != record.features.value_or(0)) {
    fields.Fail("columns", "inputs as many as there are features");
  }
  if (table.has_names && table.InputNames() != record.feature_names) {
    fields.Fail("columns", "inputs of the names in feature_names");
  }
  const size_t targets = table.Places(TableColumn::Use::kTarget).size();
  if (record.class_names.empty() ? targets < 1 : targets != 1) fields.Fail("columns", "one TARGET, or several numbers");
  if (!record.target_mean.empty() && (record.target_mean.size() != targets || !record.class_names.empty())) {
    fields.Fail("target_mean", "a number for each target that is no class");
  }
}

}  // namespace

std::string ToJson(const DataRecord& record) {
  JsonObject json;
  json.Set("version", record.version).Set("description", record.description).Set("inputs", record.inputs);
  Put(json, "class_names", record.class_names);
  Put(json, "label_name", record.label_name);
  Put(json, "label_column", record.label_column);
  Put(json, "features", record.features);
  Put(json, "sample_shape", record.sample_shape);
  Put(json, "feature_names", record.feature_names);
  if (!record.columns.empty()) json.Set("columns", ColumnsAsJson(record.columns, !record.feature_names.empty()));
  Put(json, "feature_mean", record.feature_mean);
  Put(json, "feature_std", record.feature_std);
  Put(json, "target_mean", record.target_mean);
  Put(json, "target_std", record.target_std);
  Put(json, "train_samples", record.train_samples);
  Put(json, "eval_samples", record.eval_samples);
  Put(json, "vocab_size", record.vocab_size);
  Put(json, "train_tokens", record.train_tokens);
  Put(json, "eval_tokens", record.eval_tokens);
  Put(json, "vocabulary_crc32c", record.vocabulary_checksum);
  if (record.made_with_earlier_data) json.Set("made_with_earlier_data", true);
  std::vector<JsonObject> files;
  for (const DataFile& file : record.files) {
    JsonObject& entry = files.emplace_back();
    entry.Set("field", file.field).Set("path", file.path).Set("bytes", file.checksum.bytes);
    entry.Set("crc32c", ChecksumText(file.checksum.crc32c));
  }
  json.Set("files", files);
  std::string text = json.ToText(/*indent=*/2) + "\n";
  if (text.size() > DataRecord::kMaxJsonBytes) {
    throw Error(fmt::format("the names of classes and columns make a data.json of {} bytes, expected at most {}",
                            text.size(), DataRecord::kMaxJsonBytes));
  }
  return text;
}

DataRecord ParseDataRecord(std::string_view text, const std::string& source) {
  const JsonDocument json = ParseObject(text, source);
  const Fields fields(json.root(), source);
  DataRecord record;
  record.version = fields.Count("version").value_or(0);
  if (record.version > DataRecord::kVersion) {
    fields.Fail("version", fmt::format("at most {}: it was written by a later twofour", DataRecord::kVersion).c_str());
  }
  record.description = fields.Text("description").value_or("");
  record.inputs = fields.Text("inputs").value_or("");
  record.class_names = fields.Texts("class_names");
  record.label_name = fields.Text("label_name");
  record.label_column = fields.Count("label_column");
  record.features = fields.Count("features");
  record.sample_shape = fields.Sizes("sample_shape");
  record.feature_names = fields.Texts("feature_names");
  record.feature_mean = fields.Numbers("feature_mean");
  record.feature_std = fields.Numbers("feature_std");
  record.columns = fields.Columns("columns");
  record.target_mean = fields.Numbers("target_mean");
  record.target_std = fields.Numbers("target_std");
  if (!record.features && !record.feature_mean.empty()) record.features = std::ssize(record.feature_mean);
  record.train_samples = fields.Count("train_samples");
  record.eval_samples = fields.Count("eval_samples");
  record.vocab_size = fields.Count("vocab_size");
  record.train_tokens = fields.Count("train_tokens");
  record.eval_tokens = fields.Count("eval_tokens");
  if (const auto checksum = fields.Checksum("vocabulary_crc32c")) record.vocabulary_checksum = ChecksumText(*checksum);
  record.files = fields.Files("files");
  record.made_with_earlier_data = fields.Flag("made_with_earlier_data");
  CheckFeatures(record, fields);
  CheckColumns(record, fields);
  return record;
}

}  // namespace twofour::train
