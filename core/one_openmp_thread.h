#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace twofour {

/// While it lives, OpenMP regions that this thread opens (those of a library) have one thread, unless they ask for a
/// number of threads. Only ParallelFor is meant to use several.
class OneOpenMpThread {
 public:
#ifdef _OPENMP
  OneOpenMpThread() : previous_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneOpenMpThread() { omp_set_num_threads(previous_); }
#else
  OneOpenMpThread() {}
#endif
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

#ifdef _OPENMP
 private:
  int previous_;
#endif
};

}  // namespace twofour
