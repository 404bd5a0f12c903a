#include "twofour/core/io/safetensors_types.h"

namespace twofour::internal {
namespace {

struct ElementType {
  std::string_view name;
  uint64_t bits;
  std::optional<DType> dtype = std::nullopt;
};

/// All of the reference implementation's types (safetensors/src/tensor.rs, `Dtype`).
constexpr ElementType kTypes[] = {
    {"BOOL", 8, DType::kBool},
    {"F4", 4},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"U8", 8},
    {"I8", 8},
    {"F8_E5M2", 8},
    {"F8_E4M3", 8},
    {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8},
    {"I16", 16},
    {"U16", 16},
    {"F16", 16},
    {"BF16", 16},
    {"I32", 32, DType::kI32},
    {"U32", 32},
    {"F32", 32, DType::kF32},
    {"C64", 64},
    {"F64", 64, DType::kF64},
    {"I64", 64},
    {"U64", 64},
};

const ElementType* Find(std::string_view name) {
  for (const ElementType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

}  // namespace

std::string_view SafetensorsNameOf(DType dtype) {
  for (const ElementType& type : kTypes) {
    if (type.dtype == dtype) return type.name;
  }
  return "?";
}

std::optional<DType> DTypeOfSafetensorsName(std::string_view name) {
  const ElementType* type = Find(name);
  return type == nullptr ? std::nullopt : type->dtype;
}

std::optional<uint64_t> SafetensorsBitsOf(std::string_view name) {
  const ElementType* type = Find(name);
  return type == nullptr ? std::nullopt : std::optional(type->bits);
}

}  // namespace twofour::internal
