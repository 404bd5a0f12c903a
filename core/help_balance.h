#pragma once

#include <cstdint>

namespace twofour {

/// Decides whether it pays for a thread to have others help with its work. On an idle machine it does. Beside busy
/// processes the system may put a helper aside in the middle of its work, and the thread that waits for it waits for
/// milliseconds. So the work of helpers is booked against what they cost. A thread that has lost time works alone for a
/// multiple of its loss, and then tries again. If it loses again before as much time has passed as it had worked alone,
/// it works alone for twice as long. The reason is that the system remembers for some hundred milliseconds who wanted
/// its processors, and gives less of them to a process that tries again and again. All times are nanoseconds.
class HelpBalance {
 public:
  /// After losing x, a thread works alone for kPatience times x, which bounds the loss in the long run.
  static constexpr int64_t kPatience = 16;
  /// Doubling ends here, so that a thread soon notices the end of other processes.
  static constexpr int64_t kMostAlone = 1'000'000'000;
  /// Earlier gains count up to here. This is enough for an occasional wait of some milliseconds, which happens on an
  /// idle machine, too. It is so little that a good hour does not pay for a bad minute.
  static constexpr int64_t kMostCredit = 5'000'000;
  /// Smaller losses are usual: threads end at different times, and waking one takes microseconds.
  static constexpr int64_t kLeastLoss = 300'000;
  /// Longer waits count as this long. They are no sign of busy processors: the program was stopped for a while.
  static constexpr int64_t kMostWait = 100'000'000;
  /// After a wait of kLongWait a thread is wary for kWaryFor.
  static constexpr int64_t kLongWait = 200'000, kWaryFor = 100'000'000;

  /// False while this thread should work alone.
  bool ShouldAsk(int64_t now) const { return now >= alone_until_; }

  /// True where processors seem to be busy, so that helpers should count the time that they really ran.
  bool IsWary(int64_t now) const { return now < wary_until_; }

  /// What one request for help brought.
  struct Entry {
    int64_t helped = 0;  ///< How long helpers worked, all of them together.
    int64_t asking = 0;  ///< How long it took to call them.
    int64_t aside = 0;   ///< How long the system put the caller aside while it worked itself. Known only while wary.
    int64_t waited = 0;  ///< How long the caller waited for helpers at the end.
  };
  void Book(int64_t now, const Entry& entry);

 private:
  int64_t balance_ = 0;
  int64_t alone_ = 0;  // How long this thread worked alone the last time, or works alone now.
  int64_t alone_until_ = 0, wary_until_ = 0;
};

}  // namespace twofour
