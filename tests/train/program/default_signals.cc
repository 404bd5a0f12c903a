#include <gtest/gtest.h>

#include <csignal>

namespace twofour::train {
namespace {

/// A shell without job control starts what stands before & with SIGINT and SIGQUIT ignored, and nohup adds SIGHUP.
/// Programs keep that as it is (signals.h), so tests of signals would wait for ever.
class DefaultSignals : public ::testing::Environment {
  void SetUp() override {
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT}) std::signal(signal, SIG_DFL);
  }
};

[[maybe_unused]] const ::testing::Environment* const kDefaultSignals =
    ::testing::AddGlobalTestEnvironment(new DefaultSignals);

}  // namespace
}  // namespace twofour::train
