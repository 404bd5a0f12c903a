#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace twofour::train {

/// What was measured of linears of one shape, against dense products.
struct LinearSpeedups {
  int64_t out_features = 0, in_features = 0;
  int64_t linears = 0;                ///< How many of a file have this shape and form.
  std::string pattern;                ///< As `trainer export --pattern` takes it.
  double one_row = 0, many_rows = 0;  ///< Of the weight packed in that pattern, in inference.
  double share_of_bytes = 0;          ///< Of the packed weight.
  bool is_packed = false;             ///< In the file already.
  double training = 0;                ///< Of 2:4 both ways; only for dense weights.
};

/// What `trainer analyze` measured of a file.
struct FileSpeedups {
  int64_t rows = 0;                         ///< Of many_rows and training.
  bool in_run = false;                      ///< Whether `trainer export` can read the weights.
  std::vector<LinearSpeedups> sparse = {};  ///< Weights whose zeros have a packed form.
  std::vector<LinearSpeedups> dense = {};   ///< Weights that have none, as if they were 2:4: the largest.
  int64_t without_form = 0;                 ///< Sparse weights that cannot be packed.
};

/// A measured speedup below this may be noise.
inline constexpr double kLeastGain = 1.05;

/// What to do with the weights of a file: sentences, each with the measurements that it rests on.
std::vector<std::string> PackingAdvice(const FileSpeedups& measured);

}  // namespace twofour::train
