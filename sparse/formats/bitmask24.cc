#include "twofour/sparse/formats/bitmask24.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/formats/stored_groups.h"

namespace twofour::sparse {

Bitmask24 PackBitmask24(const Tensor& weight, const std::string& name) {
  RequireStorable(weight, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  if (cols % 4 != 0) throw Error(fmt::format("{}: {} columns, sparse24-bitmask takes multiples of 4", name, cols));
  Bitmask24 packed{.compressed = Tensor::Zeros({rows, cols / 2}, weight.dtype()),
                   .bitmask = Tensor::Zeros({rows, CeilDiv(cols, int64_t{8})}, DType::kU8),
                   .shape = Tensor::FromVector<int64_t>({rows, cols}, {2, 1})};
  uint8_t* const bits = packed.bitmask.mutable_data<uint8_t>();
  std::byte* to = packed.compressed.mutable_raw();
  const size_t size = SizeOf(weight.dtype());
  ForEachGroupWithinPattern(weight, {2, 4}, name, [&](int64_t row, int64_t group, uint32_t nonzeros) {
    const uint32_t places = FilledUp(nonzeros, 2);
    uint8_t& byte = bits[row * CeilDiv(cols, int64_t{8}) + group / 2];
    byte = static_cast<uint8_t>(byte | places << (group % 2 * 4));
    const std::byte* const from = weight.raw() + (row * cols + group * 4) * static_cast<int64_t>(size);
    for (size_t place = 0; place < 4; ++place) {
      if ((places >> place & 1) == 0) continue;
      std::memcpy(to, from + place * size, size);
      to += size;
    }
  });
  return packed;
}

Tensor UnpackBitmask24(const Bitmask24& packed, const std::string& name) {
  const auto fail = [&name](const std::string& what) { throw Error(fmt::format("{}: {}", name, what)); };
  const auto& [compressed, bitmask, shape] = packed;
  if (!shape.defined() || shape.dtype() != DType::kI64 || shape.numel() != 2) {
    fail(fmt::format("shape is {}, expected i64 [2, 1]", Describe(shape)));
  }
  const int64_t rows = shape.data<int64_t>()[0], cols = shape.data<int64_t>()[1];
  // Compared with what the file holds before anything of this size is made.
  if (!compressed.defined() || compressed.rank() != 2 || !IsFloating(compressed.dtype()) || rows < 0 || cols < 0 ||
      cols % 4 != 0 || compressed.dim(0) != rows || compressed.dim(1) != cols / 2) {
    fail(fmt::format("compressed is {}, expected f64, f32, f16 or bf16 [{}, {} / 2], with columns in fours",
                     Describe(compressed), rows, cols));
  }
  const int64_t row_bytes = CeilDiv(cols, int64_t{8});
  if (!bitmask.defined() || bitmask.dtype() != DType::kU8 || bitmask.shape() != Shape{rows, row_bytes}) {
    fail(fmt::format("bitmask is {}, expected u8 [{}, {}]", Describe(bitmask), rows, row_bytes));
  }
  Tensor weight = Tensor::Zeros({rows, cols}, compressed.dtype());
  if (weight.numel() == 0) return weight;  // It may nevertheless have very many rows.
  const auto size = static_cast<int64_t>(SizeOf(compressed.dtype()));
  std::byte* const to = weight.mutable_raw();
  for (int64_t row = 0; row < rows; ++row) {
    const uint8_t* const bits = bitmask.data<uint8_t>() + row * row_bytes;
    int64_t stored = 0;
    for (int64_t b = 0; b < row_bytes; ++b) stored += std::popcount(bits[b]);
    if (stored != cols / 2) fail(fmt::format("row {} has {} bits, expected {}", row, stored, cols / 2));
    if (cols % 8 != 0 && bits[row_bytes - 1] >> (cols % 8) != 0) {
      fail(fmt::format("row {} has bits beyond its {} columns", row, cols));
    }
    const std::byte* from = compressed.raw() + row * (cols / 2) * size;
    for (int64_t col = 0; col < cols; ++col) {
      if ((bits[col / 8] >> (col % 8) & 1) == 0) continue;
      std::memcpy(to + (row * cols + col) * size, from, static_cast<size_t>(size));
      from += size;
    }
  }
  return weight;
}

}  // namespace twofour::sparse
