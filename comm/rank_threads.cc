#include "twofour/comm/rank_threads.h"

#include <fmt/format.h>
#include <pthread.h>

#include <cstring>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::comm {
namespace {

struct Task {
  const std::function<void(int)>& function;
  int number;
  pthread_t thread = {};
};

void* RunTask(void* argument) {
  const Task& task = *static_cast<Task*>(argument);
  task.function(task.number);
  return nullptr;
}

/// Returns an error number.
int Start(Task& task, size_t stack_bytes) {
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return error;
  error = pthread_attr_setstacksize(&attributes, stack_bytes);
  if (error == 0) error = pthread_create(&task.thread, &attributes, RunTask, &task);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

void RunOnThreads(int count, size_t stack_bytes, const std::function<void(int)>& function,
                  const std::function<void()>& stop) {
  std::vector<Task> tasks;
  for (int number = 0; number < count; ++number) tasks.push_back({function, number});
  size_t started = 0;
  int error = 0;
  while (started < tasks.size() && (error = Start(tasks[started], stack_bytes)) == 0) ++started;
  if (error != 0) stop();
  for (size_t i = 0; i < started; ++i) pthread_join(tasks[i].thread, nullptr);
  if (error == 0) return;
  throw Error(fmt::format("thread {} of {} did not start: {}", started + 1, count, std::strerror(error)),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::comm
