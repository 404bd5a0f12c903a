#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace twofour::bench {

// How the passes between the peers' products use OpenMP's threads.

template <typename Body>
void ForEachRow(int64_t rows, const Body& body) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) body(row);
}

/// Calls body(row, sums), where each thread has its own row of sums, and then adds these rows up.
template <typename Body>
void SumOverRows(int64_t rows, int64_t cols, float* sums, const Body& body) {
  const int64_t threads = omp_get_max_threads();
  std::vector<float> partial_sums(static_cast<size_t>(threads * cols));
#pragma omp parallel
  {
    float* partial = partial_sums.data() + omp_get_thread_num() * cols;
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row) body(row, partial);
  }
  std::fill_n(sums, cols, 0.0f);
  for (int64_t thread = 0; thread < threads; ++thread) {
    std::transform(sums, sums + cols, partial_sums.data() + thread * cols, sums, std::plus<>());
  }
}

}  // namespace twofour::bench
