#include "twofour/core/kernels/simd_targets.h"
//
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <string>

#include "tests/support/simd_targets.h"

namespace twofour::test {
namespace {

/// Binds Highway's dispatch to one instruction set for as long as it lives.
class ScopedSimdTarget {
 public:
  explicit ScopedSimdTarget(SimdTarget target) { Bind(target); }
  ~ScopedSimdTarget() { Bind(0); }
  ScopedSimdTarget(const ScopedSimdTarget&) = delete;
  ScopedSimdTarget& operator=(const ScopedSimdTarget&) = delete;

 private:
  static void Bind(SimdTarget target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();  // The choice is cached.
  }
};

}  // namespace

void ForEachSimdTarget(const std::function<void(SimdTarget target)>& body) {
  for (const SimdTarget target : AllowedSimdTargets()) {
    SCOPED_TRACE(std::string(NameOfSimdTarget(target)));
    const ScopedSimdTarget scope(target);
    body(target);
  }
}

}  // namespace twofour::test
