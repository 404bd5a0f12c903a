#include "twofour/comm/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"

namespace twofour::comm {
namespace {

using test::ScopedEnv;
using testing::HasSubstr;
using testing::Optional;

/// These tests may themselves run under a launcher.
class LaunchTest : public testing::Test {
 private:
  ScopedEnv open_mpi_{"OMPI_COMM_WORLD_SIZE", {}};
  ScopedEnv step_tasks_{"SLURM_STEP_NUM_TASKS", {}};
  ScopedEnv tasks_{"SLURM_NTASKS", {}};
  ScopedEnv task_{"SLURM_PROCID", {}};
  ScopedEnv pmi_{"PMI_SIZE", {}};
  ScopedEnv open_mpi_rank_{"OMPI_COMM_WORLD_RANK", {}};
  ScopedEnv pmi_rank_{"PMI_RANK", {}};
};

TEST_F(LaunchTest, AProcessThatNobodyLaunchedIsAlone) {
  EXPECT_EQ(FindLaunch(), std::nullopt);
  EXPECT_EQ(ConnectRanks()->size(), 1);
}

TEST_F(LaunchTest, FindsMpirun) {
  const ScopedEnv size("OMPI_COMM_WORLD_SIZE", "4");
  EXPECT_THAT(FindLaunch(), Optional(Launch{"mpirun", 4}));
}

TEST_F(LaunchTest, FindsSrun) {
  const ScopedEnv size("SLURM_STEP_NUM_TASKS", "8"), task("SLURM_PROCID", "3");
  EXPECT_THAT(FindLaunch(), Optional(Launch{"srun", 8}));
}

TEST_F(LaunchTest, FindsOthersThatSpeakPmi) {
  const ScopedEnv size("PMI_SIZE", "2");
  EXPECT_THAT(FindLaunch(), Optional(Launch{"mpiexec", 2}));
}

TEST_F(LaunchTest, TheScriptOfASlurmJobIsAlone) {
  const ScopedEnv tasks("SLURM_NTASKS", "8"), task("SLURM_PROCID", "0");
  EXPECT_EQ(FindLaunch(), std::nullopt);
}

TEST_F(LaunchTest, MpirunCountsWhereItStartsItsHelpersBySrun) {
  const ScopedEnv helpers("SLURM_STEP_NUM_TASKS", "2"), helper("SLURM_PROCID", "1"), size("OMPI_COMM_WORLD_SIZE", "16");
  EXPECT_THAT(FindLaunch(), Optional(Launch{"mpirun", 16}));
}

TEST_F(LaunchTest, ASingleRankNeedsNoMpi) {
  const ScopedEnv size("OMPI_COMM_WORLD_SIZE", "1");
  EXPECT_THAT(FindLaunch(), Optional(Launch{"mpirun", 1}));
  EXPECT_EQ(ConnectRanks()->HostOf(0), "this machine");
}

TEST_F(LaunchTest, RefusesSizesThatNoLauncherGives) {
  for (const char* value : {"", "four", "0", "-1", "4x", " 4", "1048577", "99999999999999999999", "0x4", "4\n"}) {
    const ScopedEnv size("OMPI_COMM_WORLD_SIZE", value);
    EXPECT_ERROR(FindLaunch(), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("OMPI_COMM_WORLD_SIZE is '"),
                       HasSubstr("expected a number of processes from 1 to 1048576"), testing::Not(HasSubstr("\n"))));
    EXPECT_ERROR(ConnectRanks(), ErrorKind::kInvalidInput, HasSubstr("OMPI_COMM_WORLD_SIZE is '"));
  }
}

TEST_F(LaunchTest, KnowsTheFirstRankBeforeRanksAreConnected) {
  EXPECT_FALSE(IsLaunchedAsAnotherRank());
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"}) {
    const ScopedEnv first(variable, "0");
    EXPECT_FALSE(IsLaunchedAsAnotherRank()) << variable;
    const ScopedEnv other(variable, "1");
    EXPECT_TRUE(IsLaunchedAsAnotherRank()) << variable;
  }
}

TEST_F(LaunchTest, ABuildWithoutMpiSaysSo) {
  if (BuiltWithMpi()) GTEST_SKIP() << "this build has MPI";
  const ScopedEnv size("OMPI_COMM_WORLD_SIZE", "4");
  EXPECT_ERROR(ConnectRanks(), ErrorKind::kInvalidInput,
               HasSubstr("started by mpirun as one of 4 processes, but this build has no MPI; build with it"));
}

}  // namespace
}  // namespace twofour::comm
