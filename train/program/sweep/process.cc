#include "twofour/train/program/sweep/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <system_error>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

/// A file descriptor that children do not inherit.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

/// Blocks all signals while it exists. Otherwise the copy of this program would handle a signal that comes between fork
/// and exec, and the signal would be lost.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
};

Error Failure(const std::string& what, const std::filesystem::path& path, int reason) {
  return Error(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(reason)), ErrorKind::kRuntimeFailure);
}

class ChildProcess : public Process {
 public:
  explicit ChildProcess(pid_t id) : id_(id) {}
  ~ChildProcess() override {
    if (exit_code_) return;
    kill(id_, SIGKILL);
    Wait(0);
  }

  std::optional<int> ExitCode() override {
    if (!exit_code_) Wait(WNOHANG);
    return exit_code_;
  }

  void Signal(int signal) override {
    if (!ExitCode()) kill(id_, signal);  // After waiting, the id may be another process'.
  }

 private:
  void Wait(int options) {
    int status = 0;
    pid_t ended = 0;
    do {
      ended = waitpid(id_, &status, options);
    } while (ended < 0 && errno == EINTR);
    if (ended == id_) exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  pid_t id_;
  std::optional<int> exit_code_;
};

/// Removes all handlers, because until the program starts a signal must end the child and not set something in its copy
/// of this process. Signals that are ignored stay ignored.
void DropHandlers() {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
}

/// Everything that the child does. It must not allocate: another thread may have held the allocator's lock at the fork.
[[noreturn]] void BecomeProgram(const char* executable, char* const* argv, int input, int log, int failure,
                                pid_t parent, const sigset_t& signals) {
  setpgid(0, 0);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (getppid() != parent) _exit(1);  // The parent ended before prctl() was called.
  DropHandlers();
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  if (dup2(input, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
    execv(executable, argv);
  }
  const int reason = errno;
  [[maybe_unused]] const ssize_t written = write(failure, &reason, sizeof(reason));
  _exit(127);
}

class SystemLauncher : public ProcessLauncher {
 public:
  std::unique_ptr<Process> Start(const ProcessSpec& spec) override {
    const Descriptor input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (input.get() < 0) throw Failure("read", "/dev/null", errno);
    const int mode = O_WRONLY | O_CREAT | O_CLOEXEC | (spec.append ? O_APPEND : O_TRUNC);
    const Descriptor log(open(spec.log.c_str(), mode, 0644));
    if (log.get() < 0) throw Failure("write to", spec.log, errno);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw Failure("make a pipe for", spec.executable, errno);
    Descriptor failure_read(ends[0]), failure_write(ends[1]);

    std::string name = "trainer";
    std::vector<std::string> arguments = spec.arguments;
    std::vector<char*> argv{name.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);

    // If the starter of this process left SIGCHLD ignored, the exit codes of children would be lost.
    std::signal(SIGCHLD, SIG_DFL);
    const pid_t parent = getpid();
    pid_t id = 0;
    {
      const SignalsHeld held;
      id = fork();
      if (id == 0) {
        BecomeProgram(spec.executable.c_str(), argv.data(), input.get(), log.get(), failure_write.get(), parent,
                      held.before());
      }
    }
    if (id < 0) throw Failure("start", spec.executable, errno);
    auto child = std::make_unique<ChildProcess>(id);
    // The pipe closes when the program takes over. If it cannot, the pipe holds the reason.
    failure_write.Close();
    int reason = 0;
    ssize_t got = 0;
    do {
      got = read(failure_read.get(), &reason, sizeof(reason));
    } while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof(reason))) throw Failure("start", spec.executable, reason);
    return child;
  }
};

}  // namespace

bool ProgramExists(const std::string& name) {
  const auto is_program = [](const std::filesystem::path& path) {
    std::error_code none;
    return std::filesystem::is_regular_file(path, none) && access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return is_program(name);
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/bin:/usr/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (is_program(std::filesystem::path(folder) / name)) return true;
  }
  return false;
}

ProcessLauncher& ProcessLauncher::Default() {
  static SystemLauncher launcher;
  return launcher;
}

}  // namespace twofour::train
