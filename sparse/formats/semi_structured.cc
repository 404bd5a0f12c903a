#include "twofour/sparse/formats/semi_structured.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "twofour/core/error.h"
#include "twofour/sparse/formats/stored_groups.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kRowMultiple = 32, kColMultiple = 64;
constexpr int64_t kGroupsOfElement = 4, kColsOfElement = 16;

/// Where CUTLASS has the metadata of `row` and element `col` among those of `rows` rows: within 32 rows, those that are
/// eight apart stand together; then the corners of each 2x2 block that are beside its diagonal change places; then
/// pairs of columns are stored one after the other, each row by row.
int64_t CutlassPlace(int64_t row, int64_t col, int64_t rows) {
  int64_t r = row / 32 * 32 + row % 8 * 4 + row % 32 / 8, c = col;
  if (r % 2 != c % 2) {
    const int64_t turn = r % 2 == 0 ? 1 : -1;
    r += turn;
    c -= turn;
  }
  return (c / 2 * rows + r) * 2 + c % 2;
}

/// Places of a group as PyTorch chooses them: where fewer than two are set, place 2 is, too, or else 3.
uint32_t TwoPlaces(uint32_t nonzeros) {
  if (std::popcount(nonzeros) < 2) nonzeros |= 4;
  if (std::popcount(nonzeros) < 2) nonzeros |= 8;
  return nonzeros;
}

void RequireSizes(int64_t rows, int64_t cols, const std::string& name) {
  if (rows > 0 && cols > 0 && rows % kRowMultiple == 0 && cols % kColMultiple == 0) return;
  throw Error(fmt::format("{}: shape [{}, {}], semi-structured takes multiples of [{}, {}]", name, rows, cols,
                          kRowMultiple, kColMultiple));
}

void RequireHalf(const Tensor& tensor, const std::string& name) {
  if (IsHalf(tensor.dtype())) return;
  throw Error(fmt::format("{}: {}, semi-structured takes f16 or bf16{}", name, NameOf(tensor.dtype()),
                          tensor.dtype() == DType::kF32 ? ": in f32, the pattern of GPUs is 1:2 and not 2:4" : ""));
}

}  // namespace

SemiStructured PackSemiStructured(const Tensor& weight, const std::string& name) {
  RequireStorable(weight, name);
  RequireHalf(weight, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  RequireSizes(rows, cols, name);
  SemiStructured packed{.packed = Tensor::Zeros({rows, cols / 2}, weight.dtype()),
                        .meta = Tensor::Zeros({rows, cols / kColsOfElement}, DType::kI16)};
  std::byte* to = packed.packed.mutable_raw();
  const size_t size = SizeOf(weight.dtype());
  ForEachGroupWithinPattern(weight, {2, 4}, name, [&](int64_t row, int64_t group, uint32_t nonzeros) {
    const uint32_t places = TwoPlaces(nonzeros);
    const auto first = static_cast<uint32_t>(std::countr_zero(places));
    const auto second = static_cast<uint32_t>(std::bit_width(places)) - 1;
    const std::byte* const from = weight.raw() + (row * cols + group * 4) * static_cast<int64_t>(size);
    for (const uint32_t place : {first, second}) {
      std::memcpy(to, from + place * size, size);
      to += size;
    }
    int16_t& element = packed.meta.mutable_data<int16_t>()[CutlassPlace(row, group / kGroupsOfElement, rows)];
    element = static_cast<int16_t>(element | (first | second << 2) << (group % kGroupsOfElement * 4));
  });
  return packed;
}

Tensor UnpackSemiStructured(const SemiStructured& packed, const std::string& name) {
  const auto& [values, meta] = packed;
  if (!values.defined() || values.rank() != 2) {
    throw Error(fmt::format("{}: packed is {}, expected [rows, cols / 2]", name, Describe(values)));
  }
  RequireHalf(values, name);
  const int64_t rows = values.dim(0), cols = 2 * values.dim(1);
  RequireSizes(rows, cols, name);
  if (!meta.defined() || meta.dtype() != DType::kI16 || meta.shape() != Shape{rows, cols / kColsOfElement}) {
    throw Error(
        fmt::format("{}: meta is {}, expected i16 [{}, {}]", name, Describe(meta), rows, cols / kColsOfElement));
  }
  Tensor weight = Tensor::Zeros({rows, cols}, values.dtype());
  const auto size = static_cast<int64_t>(SizeOf(values.dtype()));
  std::byte* const to = weight.mutable_raw();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t group = 0; group < cols / 4; ++group) {
      const auto element =
          static_cast<uint16_t>(meta.data<int16_t>()[CutlassPlace(row, group / kGroupsOfElement, rows)]);
      const int bits = element >> (group % kGroupsOfElement * 4) & 15, first = bits & 3, second = bits >> 2;
      if (first >= second) {
        throw Error(fmt::format("{}: row {}, columns {} to {}: metadata {:#x} is no 2:4 pattern", name, row, group * 4,
                                group * 4 + 3, bits));
      }
      const std::byte* const from = values.raw() + (row * cols / 2 + group * 2) * size;
      std::memcpy(to + (row * cols + group * 4 + first) * size, from, static_cast<size_t>(size));
      std::memcpy(to + (row * cols + group * 4 + second) * size, from + size, static_cast<size_t>(size));
    }
  }
  return weight;
}

}  // namespace twofour::sparse
