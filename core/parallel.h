#pragma once

#include <cstdint>
#include <functional>

namespace twofour {

/// Sets how many threads ParallelFor uses from now on; 0 means all processors of this machine.
/// Throws Error below 0 and above 1024. Results do not depend on it, to the last bit.
void SetNumThreads(int count);
int NumThreads();

/// Calls body(begin, end) on disjoint ranges that cover [0, count). A range is never split below
/// `grain` items, so work of at most `grain` items stays on the calling thread: choose it so that a
/// range is worth tens of microseconds. Each result must be written by one range only and must not
/// depend on where ranges begin; sums across items go through fixed-size blocks instead (see
/// kernels::Sum). Nested calls run serially. An exception thrown by a body reaches the caller.
void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

/// A grain for elementwise loops: below this many elements starting threads costs more than it
/// saves.
inline constexpr int64_t kElementwiseGrain = 16 * 1024;

/// Rows per range for a loop over rows of `cols` elements each.
inline int64_t RowGrain(int64_t cols) { return cols >= kElementwiseGrain ? 1 : kElementwiseGrain / (cols + 1) + 1; }

}  // namespace twofour
