#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/tensor.h"

namespace twofour {

/// The contents of a file in Hugging Face's safetensors format (https://github.com/huggingface/safetensors): a
/// little-endian 64-bit length, a JSON header of that length, the tensors' raw bytes.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;  ///< In the order of the header.
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or null.
  const Tensor* Find(std::string_view name) const;
};

/// Writes kF32, kF64, kI32 and kBool tensors as F32, F64, I32 and BOOL, atomically (see WriteFileAtomically). Equal
/// arguments give equal bytes. The header lists the tensors in the given order; their bytes, which the format wants
/// without gaps, stand in order of falling element size, so that each array is aligned for readers that map the
/// file. Throws Error on a name that comes twice, is "__metadata__" or is not UTF-8, on an undefined tensor, and
/// when writing fails.
void SaveSafetensors(FileSystem& file_system, const std::filesystem::path& path,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata = {});

/// Reads a file of at most 64 GiB; see ParseSafetensors.
SafetensorsFile LoadSafetensors(FileSystem& file_system, const std::filesystem::path& path);

/// Parses the bytes of a whole file. They may come from anybody: everything is checked as strictly as the reference
/// implementation does, and nothing is allocated on the word of the header alone. Throws Error, starting with
/// `source_name` and naming the tensor, on a malformed or truncated file and on element types that twofour lacks.
SafetensorsFile ParseSafetensors(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace twofour
