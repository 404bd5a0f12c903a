#include "twofour/core/processors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

#include "twofour/core/cpu_quota.h"

namespace twofour {
namespace {

int OnlineProcessors() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

/// How many processors the calling thread may run on, as the kernel says now. Some OpenMP libraries count only once,
/// when they start.
int ProcessorsOfMask() {
#ifdef __linux__
  for (int most = 1024; most <= 1 << 20; most *= 2) {  // The kernel refuses masks that are too small for the machine.
    cpu_set_t* const mask = CPU_ALLOC(static_cast<size_t>(most));
    if (mask == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(most));
    const int count = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
#endif
  return OnlineProcessors();
}

}  // namespace

int UsableProcessors() {
#ifdef _OPENMP
  // OpenMP has bound this thread to a part of the processors and knows those that the process had before.
  if (omp_get_proc_bind() != omp_proc_bind_false) return std::max(1, omp_get_num_procs());
#endif
  return ProcessorsOfMask();
}

Processors CountProcessors(const std::string& root) {
  Processors processors;
  processors.usable = UsableProcessors();
  processors.machine = std::max(OnlineProcessors(), processors.usable);
  processors.quota = CpuQuota(root).value_or(0);
  processors.count = processors.usable;
  if (processors.quota > 0 && processors.quota < processors.usable) {
    processors.count = std::max(1, static_cast<int>(std::ceil(processors.quota)));
  }
  return processors;
}

std::string Processors::Limit() const {
  std::string limit;
  if (count < usable) {
    limit = fmt::format("CPU quota of this container is {:.3g}", quota);
  } else if (usable < machine) {
    limit = "CPU affinity of this process";
  } else {
    return limit;
  }
  return fmt::format("{}; {} processors", limit, machine);
}

}  // namespace twofour
