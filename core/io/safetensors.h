#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/tensor.h"

namespace twofour {

/// A tensor of a file whose element type twofour lacks (U16, F8_E8M0, ...). Its elements were not read.
struct SkippedTensor {
  std::string name;
  std::string dtype;  ///< As the file names it.
  std::vector<uint64_t> shape;
};

/// The contents of a file in Hugging Face's safetensors format (https://github.com/huggingface/safetensors): a
/// little-endian 64-bit length, a JSON header of that length, the tensors' raw bytes.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;  ///< In the order of the header.
  std::map<std::string, std::string> metadata;
  std::vector<SkippedTensor> skipped = {};  ///< Likewise. Code that needs one of these must refuse the file.

  /// The tensor of that name, or null.
  const Tensor* Find(std::string_view name) const;
};

/// Writes tensors of any dtype, atomically (see WriteFileAtomically). Equal arguments give equal bytes. The header
/// lists the tensors in the given order. Their bytes, which the format wants without gaps, are in order of descending
/// element size, so that each array is aligned for readers that map the file. Throws Error on a name that occurs twice,
/// is "__metadata__" or is not UTF-8, on an undefined tensor, and when writing fails.
void SaveSafetensors(FileSystem& file_system, const std::filesystem::path& path,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata = {});

/// Reads a file of at most 64 GiB; see ReadSafetensors.
SafetensorsFile LoadSafetensors(FileSystem& file_system, const std::filesystem::path& path);

/// "dtype U16 [2, 3]", or "unknown dtype 'F7' [2, 3]", fit for a one-line message.
std::string Describe(const SkippedTensor& tensor);

/// Reads a file, which need not be trustworthy. Everything is checked as strictly as in the reference implementation,
/// and no memory is allocated just because the header asks for it. Then each tensor is read directly into its own
/// memory. Tensors of element types that twofour lacks are skipped, but their place in the file is checked, too. Throws
/// Error, starting with `source_name` and naming the tensor, on a malformed or truncated file.
///
/// Refuses more than the reference implementation (safetensors/src/tensor.rs): blanks before the header and keys that
/// occur twice, both of which the format's description forbids; more than 64 dimensions or 2^48 elements, even beside a
/// dimension of 0; BOOL elements other than 0 and 1. Accepts more than it: element types of a later version.
SafetensorsFile ReadSafetensors(const ReadableFile& file, const std::string& source_name);

/// The same for the bytes of a whole file.
SafetensorsFile ParseSafetensors(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace twofour
