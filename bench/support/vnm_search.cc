#include "bench/support/vnm_search.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "twofour/core/isa.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

using sparse::VnmColumnChoice, sparse::VnmInner, sparse::VnmPattern;

constexpr VnmColumnChoice kChoices[] = {VnmColumnChoice::kSums, VnmColumnChoice::kKept, VnmColumnChoice::kExact};

std::vector<VnmPattern> Patterns() {
  std::vector<VnmPattern> patterns;
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const int m : {5, 8, 16}) {
      for (const int v : {4, 16, 64, 128}) patterns.push_back({.v = v, .m = m, .inner = inner});
    }
  }
  return patterns;
}

}  // namespace

void BenchVnmSearch(const Tensor& scores, int rounds) {
  for (const VnmPattern& pattern : Patterns()) {
    Rounds timed(fmt::format("search for {} masks", pattern.ToString()), rounds);
    std::vector<double> retained;
    for (const VnmColumnChoice choice : kChoices) {
      retained.push_back(RetainedL1(scores, sparse::FindVnmMask(scores, pattern, "scores", choice)));
      timed.Add(std::string(NameOf(choice)),
                [&scores, pattern, choice] { sparse::FindVnmMask(scores, pattern, "scores", choice); });
    }
    timed.Run();
    for (size_t i = 0; i < std::size(kChoices); ++i) {
      PrintLine({{"bench", "vnm_search"},
                 {"pattern", fmt::format("{}:{}:{}", pattern.v, pattern.n, pattern.m)},
                 {"inner", NameOf(pattern.inner)},
                 {"columns", NameOf(kChoices[i])},
                 {"isa", NameOf(BestIsa())},
                 {"rows", scores.dim(0)},
                 {"cols", scores.dim(1)},
                 {"ns_per_entry",
                  timed.Milliseconds(std::string(NameOf(kChoices[i]))) * 1e6 / static_cast<double>(scores.numel())},
                 {"retained", retained[i]},
                 {"share_of_exact", retained[i] / retained.back()}});
    }
  }
}

}  // namespace twofour::bench
