#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_checksum.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/token_data.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// A file that data was read from.
struct DataFile {
  std::string field;  ///< Of the config's data: "csv.path".
  std::string path;
  FileChecksum checksum;
};

/// What the run has to know about its data: data.json, which together with model.safetensors suffices to use the model,
/// and vocabulary.json. Part of it is what a model was made with: classes and columns in their order, scaling and
/// vocabulary. A model must never be used with another of these. The rest says which samples or tokens they were.
struct DataRecord {
  /// Of files written since they hold names, files and float64 scaling. 0: data.json of an earlier twofour, which holds
  /// a part of this, and scaling as float32.
  static constexpr int64_t kVersion = 2;

  int64_t version = kVersion;
  std::string description;  ///< One line.
  std::string inputs;       ///< How a model's inputs are made of a sample, in words.

  // Of samples with classes; empty, or nothing, otherwise.
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;  ///< In the order of the inputs; empty where columns have no names.
  std::optional<int64_t> features;
  std::optional<std::string> label_name;
  std::optional<int64_t> label_column;  ///< From 0. The features are all other columns.
  std::vector<double> feature_mean, feature_std;
  std::optional<int64_t> train_samples, eval_samples;

  // Of tokens.
  std::optional<int64_t> vocab_size, train_tokens, eval_tokens;
  std::optional<std::string> vocabulary;           ///< The contents of vocabulary.json.
  std::optional<std::string> vocabulary_checksum;  ///< Of that file, as data.json has it.

  std::vector<DataFile> files;
  /// Classes, scaling and vocabulary are those of data that the run began with and not of these files, which it went on
  /// with.
  bool made_with_earlier_data = false;

  bool OfTokens() const { return vocab_size.has_value(); }
};

DataRecord DescribeData(const DataSplit& data, std::vector<DataFile> files);
DataRecord DescribeData(const TokenData& data, std::vector<DataFile> files);

/// The text of data.json. Text that is not UTF-8 is replaced. Throws Error when names make it too long to be read
/// back.
std::string ToJson(const DataRecord& record);

/// Parses the text of a data.json, which may come from anybody. Unknown keys are passed over. Throws Error, beginning
/// with `source`, on anything else than a JSON object in which every known key holds what ToJson writes.
DataRecord ParseDataRecord(std::string_view json, const std::string& source);

/// The record of a run's folder, its vocabulary included; nothing where there is no data.json. Throws Error naming the
/// file when it is damaged, or when vocabulary.json is missing or is not the one that data.json was written with.
std::optional<DataRecord> LoadDataRecord(FileSystem& files, const RunFiles& run);

/// Writes data.json and, where there is one, vocabulary.json.
void SaveDataRecord(FileSystem& files, const RunFiles& run, const DataRecord& record);

}  // namespace twofour::train
