#pragma once

#include <atomic>
#include <ostream>
#include <streambuf>
#include <string>
#include <vector>

namespace twofour::train {

/// Writes to a file descriptor, line by line. Whatever goes wrong with it (nobody reads any more, the disk is full, the
/// terminal was closed) is the stream's failbit and nothing else: a program that does not look goes on in silence.
/// A reader who does not read makes the program wait, as usual, but not once it is asked to stop.
class OutputBuffer : public std::streambuf {
 public:
  /// `stop` ends the wait for a reader after a second.
  OutputBuffer(int descriptor, const std::atomic<bool>& stop) : descriptor_(descriptor), stop_(stop) {}
  ~OutputBuffer() override { OutputBuffer::sync(); }

  /// Why nothing more is written, as errno has it; 0: nothing is wrong.
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

/// Prints what the user should look at, a line for each, to where errors go: a log of what was printed may not be read.
void PrintNotes(const std::vector<std::string>& notes, std::ostream& err);

/// For a command whose result is what it printed: throws Error (a runtime failure) when not all of it was written.
void RequireWritten(std::ostream& out);

}  // namespace twofour::train
