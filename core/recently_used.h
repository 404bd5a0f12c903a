#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace twofour {

/// Keeps the values for the keys that were asked for last. Not for several threads at once.
template <typename Key, typename Value>
class RecentlyUsed {
 public:
  /// Keeps at most `most` > 0 values.
  explicit RecentlyUsed(size_t most) : most_(most) {}

  /// The value for a key: the one that is kept, or else make(key), which is kept from now on. If `make` throws, nothing
  /// changes.
  template <typename Make>
  Value Get(const Key& key, const Make& make) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
      return newest_first_.front().second;
    }
    newest_first_.emplace_front(key, make(key));
    by_key_[key] = newest_first_.begin();
    if (newest_first_.size() > most_) {
      by_key_.erase(newest_first_.back().first);
      newest_first_.pop_back();
    }
    return newest_first_.front().second;
  }

  size_t size() const { return newest_first_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;

  size_t most_;
  Entries newest_first_;
  std::map<Key, typename Entries::iterator> by_key_;
};

}  // namespace twofour
