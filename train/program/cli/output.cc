#include "twofour/train/program/cli/output.h"

#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/train/parallel/agreement.h"

namespace twofour::train {

OutputBuffer::int_type OutputBuffer::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof())) return sync() == 0 ? 0 : traits_type::eof();
  const char text = traits_type::to_char_type(character);
  return xsputn(&text, 1) == 1 ? character : traits_type::eof();
}

std::streamsize OutputBuffer::xsputn(const char* text, std::streamsize size) {
  const std::string_view added(text, static_cast<size_t>(size));
  pending_ += added;
  const bool ends_line = added.find('\n') != std::string_view::npos;
  return ends_line && sync() != 0 ? 0 : size;
}

int OutputBuffer::sync() {
  std::string_view rest = pending_;
  while (!rest.empty() && error_ == 0) {
    if (!AwaitReader()) {
      error_ = ETIMEDOUT;
      break;
    }
    // A pipe that is ready takes this many bytes without blocking.
    const ssize_t written = ::write(descriptor_, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      error_ = errno;
    }
  }
  pending_.clear();
  return error_ == 0 ? 0 : -1;
}

/// False if the program was asked to stop and nobody has read for a second.
bool OutputBuffer::AwaitReader() {
  constexpr int kMilliseconds = 100, kPatience = 10;
  for (int waited = 0; waited < kPatience;) {
    pollfd descriptor{descriptor_, POLLOUT, 0};
    const int ready = ::poll(&descriptor, 1, kMilliseconds);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;  // If it is an error, write() will report it.
    if (ready == 0 && stop_) ++waited;
  }
  return false;
}

void PrintNotes(const std::vector<std::string>& notes, std::ostream& err) {
  for (const std::string& note : notes) err << "note: " << note << "\n";
}

int EndWithoutResult(const CommandContext& context) {
  context.err << "stopped; nothing was written\n";
  return 128 + context.stop.signal;
}

int CodeOfStop(const CommandContext& context) {
  int signal = 0;
  for (const double each : AllNumbers(context.ranks, {static_cast<double>(context.stop.signal.load())})) {
    if (signal == 0) signal = static_cast<int>(each);
  }
  return 128 + signal;
}

int ThreadsFor(const proto::Config& config, const CommandContext& context) {
  return config.threads() == 0 ? context.threads : config.threads();
}

void RequireWritten(std::ostream& out) {
  out.flush();
  if (out) return;
  const auto* buffer = dynamic_cast<const OutputBuffer*>(out.rdbuf());
  const std::string reason =
      buffer != nullptr && buffer->error() != 0 ? ": " + std::generic_category().message(buffer->error()) : "";
  throw Error("cannot write to standard output" + reason, ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::train
