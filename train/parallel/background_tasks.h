#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace twofour::train {

/// A thread that does one task after the other, in the order in which they were given. After a task has thrown, those
/// behind it are dropped until Wait() has reported it.
class BackgroundTasks {
 public:
  BackgroundTasks() : thread_([this] { Work(); }) {}
  /// Waits for the task under way and drops the others.
  ~BackgroundTasks();
  BackgroundTasks(const BackgroundTasks&) = delete;
  BackgroundTasks& operator=(const BackgroundTasks&) = delete;

  void Add(std::function<void()> task);
  /// Returns when all tasks are done. Throws what the first one that failed has thrown.
  void Wait();

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // The first one is under way.
  std::exception_ptr failure_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace twofour::train
