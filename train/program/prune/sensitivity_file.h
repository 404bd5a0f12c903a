#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/sparse/allocation/allocation.h"
#include "twofour/sparse/allocation/sensitivity_curve.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/program/prune/sensitivity.h"

namespace twofour::train {

/// The name of the file in the folder of `trainer sensitivity`.
inline constexpr const char* kSensitivityFile = "sensitivity.json";

/// The text of the file:
///   {"run":..,"weights":{"file":..,"bytes":..,"crc32c":".."},"method":..,"pattern":"unstructured","levels":[..],
///    "samples":..,"seed":..,"include":..,"exclude":..,"dense_loss":..,
///    "linears":[{"name":..,"out_features":..,"in_features":..,
///                "points":[{"pattern":"unstructured:0.5","level":0.5,"sparsity":..,"loss":..,"increase":..}]}],
///    "kept_dense":[{"name":..,"reason":..}]}
/// `increase` is by how much the loss is above that of the dense model. A loss that is not finite is null.
std::string ToJson(const Sensitivity& sensitivity);

/// How the file spells a checksum.
std::string Crc32cText(uint32_t crc32c);

/// What sparse::AllocateBySensitivity takes of such a file: a curve for each layer, in the order of the file.
struct SensitivityCurves {
  std::string source;                 ///< The file.
  std::string run = {}, method = {};  ///< Empty if the file does not say.
  std::string weights_crc32c = {};    ///< Of the file that was measured: eight hexadecimal digits. Likewise.
  sparse::PruningPattern kind = {};   ///< See ParsePatternKind: curves are for this kind of pattern alone.
  std::vector<sparse::LayerShape> layers = {};
  std::vector<sparse::SensitivityCurve> curves = {};
};

/// Reads `pattern`, `dense_loss`, `linears` with `name`, `out_features`, `in_features` and `points`, and of these
/// `level` and `loss`. A curve ends before the first loss that is not finite, so that no layer gets as sparse as that.
/// The text may come from anywhere. Throws Error, beginning with `source`, if something is missing or wrong, if a name
/// is there twice, and if a curve has no point.
SensitivityCurves ParseSensitivity(std::string_view text, const std::string& source);

/// The same for a file.
SensitivityCurves LoadSensitivity(FileSystem& files, const std::filesystem::path& path);

/// The curves of these layers, in their order. Throws Error, naming the file and the layer, if one of them is not in
/// the file or has another shape there.
std::vector<sparse::SensitivityCurve> CurvesOf(const SensitivityCurves& file,
                                               std::span<const sparse::LayerShape> layers);

}  // namespace twofour::train
