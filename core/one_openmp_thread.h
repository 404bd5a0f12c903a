#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace twofour {

/// While one lives, OpenMP regions that this thread opens (a library's, that is) have one thread, if they do not ask
/// for more by name: threads are ParallelFor's to use.
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
