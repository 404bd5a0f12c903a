#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_checksum.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/table_schema.h"
#include "twofour/train/data/token_data.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// A file that data was read from.
struct DataFile {
  std::string field;  ///< The field of the config's `data`, such as "csv.path".
  std::string path;
  FileChecksum checksum;
};

/// What a run has to know about its data: the contents of data.json and vocabulary.json. Together with
/// model.safetensors they suffice to use the model. One part is what the model was made with: classes and columns in
/// their order, scaling and vocabulary. A model must never be used with others. The rest says which samples or tokens
/// they were.
struct DataRecord {
  /// The version that is written now. Version 2 knows tables of numbers and one class alone. Version 0 holds a part of
  /// that, and scaling as float32.
  static constexpr int64_t kVersion = 3;
  /// From this version on, a record holds names, files and scaling as float64.
  static constexpr int64_t kExactVersion = 2;

  /// The largest data.json. Enough for 65536 classes and 100000 columns: at most 1 KiB for each name, and two numbers
  /// for each column.
  static constexpr uint64_t kMaxJsonBytes = uint64_t{256} << 20;

  int64_t version = kVersion;
  std::string description;  ///< One line.
  std::string inputs;       ///< How a sample becomes a model's inputs, in words.

  // Only for samples; otherwise empty or nothing.
  std::vector<std::string> class_names;    ///< Empty where targets are numbers.
  std::vector<std::string> feature_names;  ///< In the order of the inputs; empty where columns have no names.
  std::optional<int64_t> features;
  Shape sample_shape;  ///< See DataSplit. Empty in older records.
  std::optional<std::string> label_name;
  std::optional<int64_t> label_column;  ///< Counted from 0.
  /// The table's columns in their order. Empty where all but the label are numbers that are never missing, and where
  /// samples are not from a table.
  std::vector<TableColumn> columns;
  std::vector<double> feature_mean, feature_std;
  std::vector<double> target_mean, target_std;  ///< [targets], where targets are scaled numbers.
  std::optional<int64_t> train_samples, eval_samples;

  // Only for tokens.
  std::optional<int64_t> vocab_size, train_tokens, eval_tokens;
  std::optional<std::string> vocabulary;           ///< The contents of vocabulary.json.
  std::optional<std::string> vocabulary_checksum;  ///< Its CRC-32C, as data.json holds it.

  std::vector<DataFile> files;
  /// The run continued with other data than it began with: `files` are those of the later data; classes, scaling and
  /// vocabulary are those of the earlier data.
  bool made_with_earlier_data = false;

  /// sample_shape or, where that is empty, [features].
  Shape ShapeOfSamples() const { return sample_shape.empty() ? Shape{features.value_or(0)} : sample_shape; }
  bool OfTokens() const { return vocab_size.has_value(); }
  bool OfNumbers() const { return !OfTokens() && class_names.empty() && !columns.empty(); }
  /// Whether it says what the model was made with. (An old one may not.)
  bool Tells() const { return OfTokens() || OfNumbers() || !class_names.empty(); }
};

DataRecord DescribeData(const DataSplit& data, std::vector<DataFile> files);
DataRecord DescribeData(const TokenData& data, std::vector<DataFile> files);

/// How other tables are read for the model. The record must be that of samples.
TableSchema SchemaOf(const DataRecord& record);

/// The text of data.json. Throws Error when a text is not UTF-8 (DescribeData converts all of them), and when the names
/// make it too long to be read back.
std::string ToJson(const DataRecord& record);

/// Parses the text of a data.json, which need not be trustworthy. Ignores unknown keys. Throws Error, beginning with
/// `source`, on anything other than a JSON object in which every known key holds what ToJson writes.
DataRecord ParseDataRecord(std::string_view json, const std::string& source);

/// Reads the record of a run's folder, with its vocabulary. Returns nothing where there is no data.json. Throws Error
/// naming the file when it is damaged, or when vocabulary.json is missing or is not the one that data.json was written
/// with.
std::optional<DataRecord> LoadDataRecord(FileSystem& files, const RunFiles& run);

/// Writes data.json and, where the record has a vocabulary, vocabulary.json.
void SaveDataRecord(FileSystem& files, const RunFiles& run, const DataRecord& record);

}  // namespace twofour::train
