#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace twofour::train {

/// A table as text. Columns are as wide as their widest cell: the first `words` of them stand on the left, and the
/// others, which are numbers, on the right. All rows have as many cells as the first one. Lines end in "\n".
std::string AlignedColumns(const std::vector<std::vector<std::string>>& rows, size_t words);

}  // namespace twofour::train
