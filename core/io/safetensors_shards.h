#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"

// Tensors in several safetensors files ("shards") and an index of them, as Hugging Face's libraries write large models:
// {"metadata": {"total_size": BYTES}, "weight_map": {TENSOR: FILE, ...}}.

namespace twofour {

/// The name that libraries look for: the index of a model in several files.
inline constexpr std::string_view kSafetensorsIndexName = "model.safetensors.index.json";
/// The name of a model in one file.
inline constexpr std::string_view kSafetensorsModelName = "model.safetensors";

/// Which tensors go into which file, when files may hold `max_bytes` of elements each: in order, each file as full as
/// possible. A tensor that is larger has a file of its own.
std::vector<std::vector<NamedTensor>> DivideIntoShards(const std::vector<NamedTensor>& tensors, uint64_t max_bytes);

/// Writes the tensors into `folder`, which must be there: model.safetensors if all fit into one file, and otherwise
/// model-00001-of-0000N.safetensors with the index. Each file has the metadata. Throws Error as SaveSafetensors does.
void SaveShards(FileSystem& file_system, const std::filesystem::path& folder, const std::vector<NamedTensor>& tensors,
                const std::map<std::string, std::string>& metadata, uint64_t max_bytes);

/// Reads an index, which need not be trustworthy, and all files that it names, which must lie beside it. The tensors
/// are those of the files, in the order of the files' names; the metadata is that of the first file. Throws Error,
/// beginning with a file's name, on a malformed index, on files that are missing or lie elsewhere, on a tensor that is
/// not where the index says, that no file or more than one holds, or that the index does not name, and as
/// LoadSafetensors does.
SafetensorsFile LoadShards(FileSystem& file_system, const std::filesystem::path& index);

/// The same for the text of an index: which tensor lies in which file. Throws Error, beginning with `source`.
std::map<std::string, std::string> ParseShardIndex(std::string_view json, const std::string& source);

}  // namespace twofour
