#include "twofour/core/io/safetensors_types.h"

namespace twofour::internal {
namespace {

struct FileType {
  std::string_view name;
  uint64_t bits;
};

/// The types of the reference implementation (safetensors/src/tensor.rs, `Dtype`) that kDTypes lacks now, or may lack.
constexpr FileType kMoreTypes[] = {
    {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"U16", 16},    {"U32", 32},    {"U64", 64},    {"C64", 64},
};

}  // namespace

std::optional<DType> DTypeOfSafetensorsName(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.safetensors_name == name) return info.dtype;
  }
  return std::nullopt;
}

std::optional<uint64_t> SafetensorsBitsOf(std::string_view name) {
  if (const std::optional<DType> dtype = DTypeOfSafetensorsName(name)) return 8 * SizeOf(*dtype);
  for (const FileType& type : kMoreTypes) {
    if (type.name == name) return type.bits;
  }
  return std::nullopt;
}

}  // namespace twofour::internal
