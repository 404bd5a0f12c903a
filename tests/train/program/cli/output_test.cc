#include "twofour/train/program/cli/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>

#include "twofour/train/program/cli/signals.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~OutputTest() override {
    for (const int end : ends_) close(end);
  }

  /// Reads what has been written.
  std::string Read(size_t most = 1000) {
    std::string text(most, '\0');
    const ssize_t count = read(ends_[0], text.data(), text.size());
    text.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return text;
  }
  void SetNonBlocking(int end) { fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK); }
  void CloseReader() {
    close(ends_[0]);
    ends_[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  const OutlivesReaders outlives_;
  std::array<int, 2> ends_{};
  std::atomic<bool> stop_{false};
};

TEST_F(OutputTest, WritesWhenALineEndsAndWhenFlushed) {
  OutputBuffer buffer(ends_[1], stop_);
  std::ostream out(&buffer);
  SetNonBlocking(ends_[0]);
  out << "one";
  EXPECT_EQ(Read(), "");
  out << " line\n";
  EXPECT_EQ(Read(), "one line\n");
  out << "a" << 'b' << 12 << std::flush;
  EXPECT_EQ(Read(), "ab12");
  EXPECT_TRUE(out.good());
  RequireWritten(out);
}

TEST_F(OutputTest, WritesTheRestAtItsEnd) {
  {
    OutputBuffer buffer(ends_[1], stop_);
    std::ostream(&buffer) << "the rest";
  }
  EXPECT_EQ(Read(), "the rest");
}

TEST_F(OutputTest, AVanishedReaderIsAStateOfTheStreamAndNothingElse) {
  OutputBuffer buffer(ends_[1], stop_);
  std::ostream out(&buffer);
  CloseReader();
  out << "line\n";
  EXPECT_FALSE(out.good());
  EXPECT_EQ(buffer.error(), EPIPE);
  out << "another\n" << std::flush;
  EXPECT_ERROR(RequireWritten(out), ErrorKind::kRuntimeFailure, "cannot write to standard output: Broken pipe");
}

TEST_F(OutputTest, AFullDiskIsAStateOfTheStreamAndNothingElse) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  OutputBuffer buffer(full, stop_);
  std::ostream out(&buffer);
  out << "line";
  EXPECT_ERROR(RequireWritten(out), ErrorKind::kRuntimeFailure, HasSubstr("No space left on device"));
  close(full);
}

TEST_F(OutputTest, ADescriptorThatDoesNotBlockLosesNothing) {
  SetNonBlocking(ends_[1]);  // Another program that shares it may have done this.
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + "\n";
  std::string received;
  std::thread reader([&] {
    while (received.size() < text.size()) {
      const std::string part = Read(10'000);
      if (part.empty()) return;
      received += part;
    }
  });
  OutputBuffer buffer(ends_[1], stop_);
  std::ostream out(&buffer);
  out << text << std::flush;
  EXPECT_TRUE(out.good());
  reader.join();
  EXPECT_EQ(received, text);
}

TEST_F(OutputTest, AReaderWhoDoesNotReadIsNotWaitedForOnceTheProgramIsToStop) {
  stop_ = true;
  OutputBuffer buffer(ends_[1], stop_);
  std::ostream out(&buffer);
  out << std::string(1 << 20, 'x') << std::flush;  // More than any pipe holds.
  EXPECT_FALSE(out.good());
  EXPECT_EQ(buffer.error(), ETIMEDOUT);
}

TEST_F(OutputTest, AStreamOfAnotherKindIsLookedAtAsWell) {
  std::ostringstream out;
  RequireWritten(out);
  out.setstate(std::ios::badbit);
  EXPECT_ERROR(RequireWritten(out), ErrorKind::kRuntimeFailure, "cannot write to standard output");
}

}  // namespace
}  // namespace twofour::train
