#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <string>

#include "twofour/core/kernels/simd/simd_isa.h"

#include "tests/support/for_each_isa.h"

namespace twofour::test {
namespace {

/// Binds Highway's dispatch to one instruction set while it lives.
class ScopedIsa {
 public:
  explicit ScopedIsa(Isa isa) { Bind(SimdTargetOf(isa)); }
  ~ScopedIsa() { Bind(0); }
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;

 private:
  static void Bind(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();  // The choice is cached.
  }
};

}  // namespace

void ForEachIsa(const std::function<void(Isa isa)>& body) {
  for (const Isa isa : AllowedIsas()) {
    if (SimdTargetOf(isa) == 0) continue;
    SCOPED_TRACE(std::string(NameOf(isa)));
    const ScopedIsa scope(isa);
    body(isa);
  }
}

}  // namespace twofour::test
