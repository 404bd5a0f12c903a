#pragma once

#include <cstdint>
#include <functional>

namespace twofour {

/// Sets how many threads ParallelFor uses from now on, counting the caller. 0 means as many as the process has
/// processors: those of its affinity mask, or fewer where its control group's CPU quota grants fewer (see
/// CountProcessors), counted when this is called. Throws Error below 0 and above 1024. Results do not depend on it, to
/// the last bit.
void SetNumThreads(int count);
int NumThreads();

/// Calls body(begin, end) on disjoint ranges that cover [0, count), on several threads at once, and returns when all
/// are done. A range is never smaller than `grain` items, so work of less than two grains stays on the calling thread.
/// Choose `grain` so that a range takes tens of microseconds. Each result must be written by one range only and must
/// not depend on where ranges begin; sums across items go through fixed-size blocks instead (see kernels::Sum). An
/// exception thrown by a body reaches the caller, when the other ranges are done.
///
/// Up to four threads get one range each, and of more threads each gets up to four: these threads take ranges as they
/// become free, so that they wait less for a slow one. A range of a product costs something to prepare, so a few
/// threads do not.
///
/// The calling thread works, too, and takes over every range that no other thread has begun, so it only waits for
/// ranges that are being computed. It works alone for a while where waiting for others has cost more than their help
/// was worth, as happens beside other busy processes. No more threads run than there are processors that the process
/// may use.
///
/// Any number of threads may call this at once. The same threads help all of them; where more than eight call, some
/// work alone. Calls by a body run serially, as do calls from within an OpenMP region. While bodies run, OpenMP regions
/// that they open have one thread. A process may fork(): the child starts threads of its own when it needs them.
void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

/// Into how many items a product should be cut, if it is large enough: 16, or four for each of more than four threads.
int64_t ItemsForThreads();

namespace internal {

/// For tests. While it lives, ParallelFor uses all NumThreads() threads, even where that does not pay and there are
/// fewer processors.
class AlwaysShare {
 public:
  AlwaysShare();
  ~AlwaysShare();
  AlwaysShare(const AlwaysShare&) = delete;
  AlwaysShare& operator=(const AlwaysShare&) = delete;
};

}  // namespace internal

/// A grain for elementwise loops: below this many elements starting threads costs more than it
/// saves.
inline constexpr int64_t kElementwiseGrain = 16 * 1024;

/// Rows per range for a loop over rows of `cols` elements each.
inline int64_t RowGrain(int64_t cols) { return cols >= kElementwiseGrain ? 1 : kElementwiseGrain / (cols + 1) + 1; }

}  // namespace twofour
