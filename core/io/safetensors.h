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

/// A tensor of a file whose element type twofour lacks (U16, F8_E4M3, ...): its elements were not read.
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
  std::vector<SkippedTensor> skipped = {};  ///< Likewise. What needs one of these must refuse the file.

  /// The tensor of that name, or null.
  const Tensor* Find(std::string_view name) const;
};

/// Writes tensors of any dtype, atomically (see WriteFileAtomically). Equal
/// arguments give equal bytes. The header lists the tensors in the given order; their bytes, which the format wants
/// without gaps, stand in order of falling element size, so that each array is aligned for readers that map the
/// file. Throws Error on a name that comes twice, is "__metadata__" or is not UTF-8, on an undefined tensor, and
/// when writing fails.
void SaveSafetensors(FileSystem& file_system, const std::filesystem::path& path,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata = {});

/// Reads a file of at most 64 GiB; see ReadSafetensors.
SafetensorsFile LoadSafetensors(FileSystem& file_system, const std::filesystem::path& path);

/// "dtype U16 [2, 3]", or "unknown dtype 'F7' [2, 3]", fit for a one-line message.
std::string Describe(const SkippedTensor& tensor);

/// Reads a file, which may come from anybody: everything is checked as strictly as the reference implementation does,
/// and nothing is allocated on the word of the header alone. Then each tensor is read straight into its own memory.
/// Tensors of element types that twofour lacks are skipped, with their place in the file checked, too. Throws Error,
/// starting with `source_name` and naming the tensor, on a malformed or truncated file.
///
/// Refused beyond what the reference implementation (safetensors/src/tensor.rs) refuses: blanks before the header and
/// keys that come twice, both of which the format's description forbids; more than 64 dimensions or 2^48 elements, even
/// beside a dimension of 0; BOOL elements other than 0 and 1. Taken beyond it: element types of a later version.
SafetensorsFile ReadSafetensors(const ReadableFile& file, const std::string& source_name);

/// The same for the bytes of a whole file.
SafetensorsFile ParseSafetensors(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace twofour
