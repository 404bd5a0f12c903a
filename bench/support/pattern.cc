#include "bench/support/pattern.h"

#include <fmt/format.h>

#include <cstdio>

#include "twofour/core/error.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::bench {

sparse::MaskFormat ParsePattern(const std::string& pattern) {
  if (pattern == "2:4") return sparse::MaskFormat::TwoOfFour();
  sparse::VnmPattern vnm;
  int end = 0;
  const int read = std::sscanf(pattern.c_str(), "%d:%d:%d%n", &vnm.v, &vnm.n, &vnm.m, &end);
  if (read != 3 || static_cast<size_t>(end) != pattern.size()) {
    throw Error(fmt::format("--pattern {}: expected 2:4 or V:2:M", pattern));
  }
  Checked(vnm, "");
  return sparse::MaskFormat::Vnm(vnm);
}

void AddPattern(CLI::App& app, std::string& pattern) {
  app.add_option("--pattern", pattern, "Of the weight: 2:4 or V:2:M, as in 64:2:8")->capture_default_str();
}

}  // namespace twofour::bench
