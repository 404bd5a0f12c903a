#include "twofour/core/build_libraries.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <Eigen/Core>

#ifdef TWOFOUR_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

namespace twofour {

std::vector<std::string> BuildLibraries() {
  std::vector<std::string> libraries;
#ifdef TWOFOUR_HAVE_ONEDNN
  const dnnl_version_t& dnnl = *dnnl_version();
  libraries.push_back(fmt::format("oneDNN {}.{}.{}", dnnl.major, dnnl.minor, dnnl.patch));
#endif
#ifdef _OPENMP
  libraries.push_back(fmt::format("OpenMP {}", _OPENMP));
#endif
  libraries.push_back(fmt::format("Eigen {}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION));
  libraries.push_back(fmt::format("Highway {}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH));
  return libraries;
}

}  // namespace twofour
