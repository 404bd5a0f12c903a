#include "twofour/train/exchange/low_bit_tensors.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"

namespace twofour::train {
namespace {

using sparse::LowBitKind;
using sparse::LowBitParts;
using sparse::MaskFormat;

constexpr std::string_view kScale = ".weight_scale", kWholeScale = ".weight_scale_2", kShape = ".weight_shape",
                           kPositions = ".weight_positions", kPattern = ".weight_pattern";

/// Reads the parts of one weight.
class Reader {
 public:
  Reader(const StoredWeight& stored, const std::string& source, const std::string& name)
      : stored_(stored), source_(source), name_(name), nvfp4_(stored.form->kind == LowBitKind::kNvfp4) {}

  LowBitParts Read() {
    const bool packed = stored_.form->form == WeightForm::kPacked;
    LowBitParts parts;
    parts.kind = stored_.form->kind;
    parts.format = packed ? MaskFormat::Rows(2, 4) : MaskFormat::Dense();
    if (packed) {
      ReadPattern(parts);
    } else {
      ReadShape(parts);
    }
    RequireSizes(parts.rows, parts.cols, std::numeric_limits<int32_t>::max(), Weight());
    // All shapes are checked before anything is made of the parts.
    const int64_t values = sparse::LowBitMatrix::StoredValues(packed, parts.cols);
    Require(stored_.form->parts.front(), stored_.form->values,
            {parts.rows, nvfp4_ ? CeilDiv(values, int64_t{2}) : values});
    if (packed) Require(kPositions, DType::kU8, {parts.rows, CeilDiv(values, int64_t{4})});
    if (nvfp4_) {
      Require(kScale, DType::kF8E4M3, {parts.rows, CeilDiv(values, sparse::kLowBitSpanValues)});
      const bool scalar = stored_.Part(kWholeScale).rank() == 0;  // As ModelOpt has it.
      Require(kWholeScale, DType::kF32, scalar ? Shape{} : Shape{1});
    } else {
      parts.scales = RowScales(stored_, parts.rows, source_, name_);
    }
    parts.codes = nvfp4_ ? stored_.Values() : sparse::ToE4M3Bits(stored_.Values());
    if (packed) parts.positions = stored_.Part(kPositions);
    if (nvfp4_) parts.block_scales = sparse::ToE4M3Bits(stored_.Part(kScale));
    if (nvfp4_) parts.scales = Tensor::FromVector<float>({*stored_.Part(kWholeScale).data<float>()}, {1});
    sparse::RequireLowBitParts(parts, Weight());
    return parts;
  }

 private:
  std::string Weight() const { return NameIn(source_, name_ + ".weight"); }
  void Require(std::string_view ending, DType dtype, const Shape& shape) const {
    RequirePart(source_, name_ + std::string(ending), stored_.Part(ending), dtype, shape);
  }

  void ReadPattern(LowBitParts& parts) const {
    Require(kPattern, DType::kI64, {4});
    const Tensor pattern = stored_.Part(kPattern);
    const int64_t* const numbers = pattern.data<int64_t>();
    if (numbers[2] != 2 || numbers[3] != 4) {
      throw Error(fmt::format("{}: {}:{}, expected 2:4 for {}", NameIn(source_, name_ + std::string(kPattern)),
                              numbers[2], numbers[3], NameOf(parts.kind)));
    }
    parts.rows = numbers[0], parts.cols = numbers[1];
  }

  void ReadShape(LowBitParts& parts) const {
    const Tensor values = stored_.Values();
    if (values.rank() != 2) {
      throw Error(fmt::format("{}: {}, expected {} [rows, {}]", Weight(), Describe(values),
                              twofour::NameOf(stored_.form->values), nvfp4_ ? "half of the columns" : "columns"));
    }
    parts.rows = values.dim(0), parts.cols = values.dim(1);
    if (!nvfp4_) return;
    const Tensor shape = stored_.Part(kShape);
    parts.cols *= 2;
    if (!shape.defined()) return;
    Require(kShape, DType::kI64, {2});
    --parts.cols;
    const int64_t* const given = shape.data<int64_t>();
    if (given[0] == parts.rows && given[1] == parts.cols) return;
    throw Error(fmt::format("{}: [{}, {}], expected [{}, {}], or no such tensor for an even number of columns",
                            NameIn(source_, name_ + std::string(kShape)), given[0], given[1], parts.rows, parts.cols));
  }

  const StoredWeight& stored_;
  const std::string& source_;
  const std::string& name_;
  bool nvfp4_;
};

}  // namespace

void AppendLowBitTensors(const std::string& name, const LowBitParts& parts, std::vector<NamedTensor>& out) {
  const bool packed = parts.format != MaskFormat::Dense(), nvfp4 = parts.kind == LowBitKind::kNvfp4;
  const QuantizedForm& form = QuantizedFormOf(parts.kind, packed ? WeightForm::kPacked : WeightForm::kDense);
  const auto append = [&](std::string_view ending, const Tensor& tensor) {
    out.push_back({name + std::string(ending), tensor});
  };
  append(form.parts.front(), nvfp4 ? parts.codes : sparse::FromE4M3Bits(parts.codes));
  if (packed) {
    append(kPositions, parts.positions);
    append(kPattern, Tensor::FromVector<int64_t>({parts.rows, parts.cols, 2, 4}, {4}));
  } else if (nvfp4 && parts.cols % 2 == 1) {
    append(kShape, Tensor::FromVector<int64_t>({parts.rows, parts.cols}, {2}));
  }
  append(kScale, nvfp4 ? sparse::FromE4M3Bits(parts.block_scales) : parts.scales);
  if (nvfp4) append(kWholeScale, parts.scales);
}

LowBitParts ReadLowBitTensors(const StoredWeight& stored, const std::string& source, const std::string& name) {
  return Reader(stored, source, name).Read();
}

}  // namespace twofour::train
