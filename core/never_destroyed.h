#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace twofour {

/// A static object that is never destroyed. When a process ends, destructors of statics run while threads may still
/// compute, and code of other static destructors may compute, too. So what a computation reads must outlive them all.
///
///     static const NeverDestroyed<std::vector<Row>> table(MakeTable());
///     return *table;
template <typename T>
class NeverDestroyed {
 public:
  template <typename... Arguments>
  explicit NeverDestroyed(Arguments&&... arguments) {
    new (space_) T(std::forward<Arguments>(arguments)...);
  }
  NeverDestroyed(const NeverDestroyed&) = delete;
  NeverDestroyed& operator=(const NeverDestroyed&) = delete;

  T& operator*() { return *std::launder(reinterpret_cast<T*>(space_)); }
  const T& operator*() const { return *std::launder(reinterpret_cast<const T*>(space_)); }

 private:
  alignas(T) std::byte space_[sizeof(T)];
};

}  // namespace twofour
