#include "twofour/train/data/column_encoder.h"

#include <algorithm>
#include <cmath>

namespace twofour::train {

ColumnEncoder::ColumnEncoder(const TableSchema& schema) : scaling_(schema.scaling), inputs_(schema.inputs()) {
  for (const size_t place : schema.Places(TableColumn::Use::kInput)) columns_.push_back(schema.columns[place]);
}

std::optional<ColumnEncoder::Fault> ColumnEncoder::Encode(std::span<const double> values,
                                                          std::span<float> inputs) const {
  size_t at = 0;  // The first input of the column.
  for (size_t j = 0; j < columns_.size(); ++j) {
    const TableColumn& column = columns_[j];
    const bool missing = std::isnan(values[j]);
    if (column.categories.empty()) {
      if (missing && !column.fill) return Fault{j, Fault::Kind::kMissing};
      const std::optional<float> input = scaling_.ScaleToFloat(at, missing ? *column.fill : values[j]);
      if (!input) return Fault{j, Fault::Kind::kTooFar};
      inputs[at++] = *input;
    } else {
      const auto words = inputs.subspan(at, column.categories.size());
      std::ranges::fill(words, 0.0F);
      if (!missing) words[static_cast<size_t>(values[j])] = 1;
      at += words.size();
    }
    if (column.missing_input) inputs[at++] = missing ? 1 : 0;
  }
  return std::nullopt;
}

}  // namespace twofour::train
