#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "twofour/core/dtype.h"

namespace twofour::internal {

/// The DType of the element type that the format calls `name`; nullopt where twofour has none.
std::optional<DType> DTypeOfSafetensorsName(std::string_view name);

/// Bits of one element of a type that the format knows, whether twofour has it or not; nullopt for other names.
std::optional<uint64_t> SafetensorsBitsOf(std::string_view name);

}  // namespace twofour::internal
