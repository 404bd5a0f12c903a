#include "twofour/train/data_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/crc32c.h"
#include "twofour/core/io/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

std::string ChecksumOfText(const std::string& text) {
  return fmt::format("{:08x}", Crc32c(std::as_bytes(std::span<const char>(text))));
}

std::vector<std::string> AllAsUtf8(std::vector<std::string> texts) {
  for (std::string& text : texts) text = AsUtf8(text);
  return texts;
}

std::vector<DataFile> WithReadablePaths(std::vector<DataFile> files) {
  for (DataFile& file : files) file.path = AsUtf8(file.path);
  return files;
}

/// Whether a record can do without the columns: all but the one of the class are numbers that are never missing.
bool IsPlain(const TableSchema& table) {
  return table.has_classes && std::ranges::all_of(table.columns, [](const TableColumn& column) {
           return column.is_plain() && column.use != TableColumn::Use::kDropped;
         });
}

}  // namespace

DataRecord DescribeData(const DataSplit& data, std::vector<DataFile> files) {
  DataRecord record;
  record.description = AsUtf8(data.description);
  record.inputs = data.inputs;
  record.class_names = AllAsUtf8(data.class_names);
  record.feature_names = AllAsUtf8(data.feature_names);
  record.features = data.train->features();
  record.sample_shape = data.sample_shape;
  if (!data.label_name.empty()) record.label_name = AsUtf8(data.label_name);
  record.label_column = data.label_column;
  if (data.table) {
    record.feature_mean = data.table->scaling.mean;
    record.feature_std = data.table->scaling.stddev;
    record.target_mean = data.table->target_scaling.mean;
    record.target_std = data.table->target_scaling.stddev;
    if (!IsPlain(*data.table)) record.columns = data.table->columns;
  }
  record.train_samples = data.train->size();
  record.eval_samples = data.eval->size();
  record.files = WithReadablePaths(std::move(files));
  return record;
}

DataRecord DescribeData(const TokenData& data, std::vector<DataFile> files) {
  DataRecord record;
  record.description = AsUtf8(data.description);
  record.inputs = data.vocabulary ? "token ids of vocabulary.json" : "token ids";
  record.vocab_size = data.vocab_size;
  record.train_tokens = data.train.size();
  record.eval_tokens = data.eval.size();
  if (data.vocabulary) {
    record.vocabulary = data.vocabulary->ToJson();
    record.vocabulary_checksum = ChecksumOfText(*record.vocabulary);
  }
  record.files = WithReadablePaths(std::move(files));
  return record;
}

TableSchema SchemaOf(const DataRecord& record) {
  TableSchema schema;
  schema.has_names = !record.feature_names.empty();
  schema.has_classes = !record.OfNumbers();
  schema.scaling = {record.feature_mean, record.feature_std};
  schema.target_scaling = {record.target_mean, record.target_std};
  schema.columns = record.columns;
  if (!schema.columns.empty()) return schema;
  const int64_t features = record.features.value_or(0);
  for (int64_t j = 0; j < features; ++j) {
    schema.columns.push_back({.name = schema.has_names ? record.feature_names[static_cast<size_t>(j)] : ""});
  }
  const TableColumn label{.name = record.label_name.value_or(""), .use = TableColumn::Use::kTarget};
  if (record.label_column && *record.label_column <= features) {
    schema.columns.insert(schema.columns.begin() + *record.label_column, label);
  } else if (record.label_name) {
    schema.columns.push_back(label);  // An old record does not say where it stood. Only its name is looked for.
  }
  return schema;
}

std::optional<DataRecord> LoadDataRecord(FileSystem& files, const RunFiles& run) {
  if (!files.Exists(run.data())) return std::nullopt;
  DataRecord record = ParseDataRecord(ReadOwnText(files, run.data(), DataRecord::kMaxJsonBytes), run.data().string());
  const std::string path = run.vocabulary().string();
  if (files.Exists(run.vocabulary())) {
    record.vocabulary = ReadOwnText(files, run.vocabulary(), Vocabulary::kMaxJsonBytes);
    Vocabulary::FromJson(*record.vocabulary, path);  // Throws where it is no vocabulary.
  }
  if (!record.vocabulary_checksum) return record;
  if (!record.vocabulary) {
    throw Error(
        fmt::format("{}: is missing, expected the vocabulary that {} was written with", path, run.data().string()));
  }
  const std::string found = ChecksumOfText(*record.vocabulary);
  if (found != *record.vocabulary_checksum) {
    throw Error(fmt::format("{}: is not the vocabulary that the run began with: its CRC-32C is {}, {} says {}", path,
                            found, run.data().string(), *record.vocabulary_checksum));
  }
  return record;
}

void SaveDataRecord(FileSystem& files, const RunFiles& run, const DataRecord& record) {
  if (record.vocabulary) WriteTextAtomically(files, run.vocabulary(), *record.vocabulary);
  WriteTextAtomically(files, run.data(), ToJson(record));
}

}  // namespace twofour::train
