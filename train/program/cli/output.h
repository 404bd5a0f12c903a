#pragma once

#include <atomic>
#include <ostream>
#include <streambuf>
#include <string>
#include <vector>

#include "twofour/train/program/cli/command.h"

#include "config.pb.h"

namespace twofour::train {

/// Writes to a file descriptor, line by line. A failure (nobody reads any more, the disk is full, the terminal was
/// closed) only puts the stream into a failed state: a program that does not check it goes on silently. A reader who
/// does not read makes the program wait, as usual, but not once the program is asked to stop.
class OutputBuffer : public std::streambuf {
 public:
  /// Once `stop` is set, the program waits for a reader for one second at most.
  OutputBuffer(int descriptor, const std::atomic<bool>& stop) : descriptor_(descriptor), stop_(stop) {}
  ~OutputBuffer() override { OutputBuffer::sync(); }

  /// The errno of the failure after which nothing more is written; 0: none.
  int error() const { return error_; }

 protected:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  bool AwaitReader();

  int descriptor_;
  const std::atomic<bool>& stop_;
  std::string pending_;
  int error_ = 0;
};

/// Prints notes for the user, one line each, to the stream for errors: nobody may read a log of the other output.
void PrintNotes(const std::vector<std::string>& notes, std::ostream& err);

/// Says that the command was asked to stop before it had a result to write or print, and returns its exit code.
int EndWithoutResult(const CommandContext& context);

/// The exit code of a command that a signal to any rank has ended. Collective.
int CodeOfStop(const CommandContext& context);

/// The threads that a config asks for, or else those that this process should use.
int ThreadsFor(const proto::Config& config, const CommandContext& context);

/// For commands whose result is what they print: throws Error (a runtime failure) if not all of it was written.
void RequireWritten(std::ostream& out);

}  // namespace twofour::train
