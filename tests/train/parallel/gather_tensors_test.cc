#include "twofour/train/parallel/gather_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"

namespace twofour::train {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(GatherTensorsTest, TheFirstRankGetsTensorsOfAnyDTypeAndShape) {
  comm::ThreadNetwork network(3);
  network.Run([](comm::Communicator& rank) {
    const auto tensors_of = [](int r) {
      std::vector<NamedTensor> tensors;
      if (r == 1) return tensors;  // Has none.
      tensors.push_back({"weight of " + std::to_string(r), Tensor::Full({2, 3}, r + 0.5)});
      tensors.push_back({"", Tensor::Scalar(r, DType::kF64)});
      tensors.push_back({"mask", Tensor::Full({5}, 1, DType::kBool)});
      tensors.push_back({"empty", Tensor::Empty({0, 4}, DType::kI32)});
      return tensors;
    };
    const auto all = GatherTensors(rank, tensors_of(rank.rank()));
    if (rank.rank() != 0) {
      EXPECT_THAT(all, IsEmpty());
      return;
    }
    ASSERT_THAT(all, SizeIs(3));
    for (int r = 0; r < 3; ++r) {
      const std::vector<NamedTensor> expected = tensors_of(r);
      const std::vector<NamedTensor>& got = all[static_cast<size_t>(r)];
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].name, expected[i].name);
        EXPECT_EQ(Describe(got[i].tensor), Describe(expected[i].tensor));
        EXPECT_EQ(got[i].tensor.To(DType::kF32).ToVector(), expected[i].tensor.To(DType::kF32).ToVector());
      }
    }
  });
}

}  // namespace
}  // namespace twofour::train
