#include "twofour/core/dtype.h"

#include <fmt/format.h>

#include <iterator>
#include <tuple>
#include <utility>

#include "twofour/core/error.h"

namespace twofour {
namespace {

/// Whether the row for `dtype` stands at its place and has the size of the C++ type.
template <DType dtype>
constexpr bool kRowFits = InfoOf(dtype).dtype == dtype&& InfoOf(dtype).bytes == sizeof(ElementType<dtype>);

template <size_t... place>
constexpr bool AllRowsFit(std::index_sequence<place...>) {
  return (kRowFits<static_cast<DType>(place)> && ...);
}

static_assert(std::size(kDTypes) == std::tuple_size_v<ElementTypes>);
static_assert(AllRowsFit(std::make_index_sequence<std::size(kDTypes)>()));

}  // namespace

void ThrowUnsupportedDType(std::string_view op, DType dtype) {
  throw Error(fmt::format("{}: got a tensor of dtype {}, expected f32 or f64", op, NameOf(dtype)));
}

}  // namespace twofour
