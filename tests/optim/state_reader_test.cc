#include "twofour/optim/state_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::F32;
using ::testing::ThrowsMessage;

TEST(StateReaderTest, HandsOutWhatIsThere) {
  StateReader reader({{"a", F32({1, 2}, {2})}, {"step", CountTensor(7)}, {"a.step", CountTensor(3)}}, "file");
  EXPECT_EQ(reader.step(), 7);
  ExpectBitEqual(reader.Take("a"), F32({1, 2}, {2}));
  EXPECT_FALSE(reader.Take("a").defined());
  EXPECT_EQ(reader.TakeCount("a.step", 3), 3);
  EXPECT_NO_THROW(reader.Finish());
}

TEST(StateReaderTest, ListsAllFaults) {
  StateReader reader({{"a", F32({1}, {1})}, {"b", CountTensor(2)}, {"c", Tensor()}, {"c", Tensor()}}, "file");
  reader.TakeCount("a", 0);
  reader.TakeCount("b", 3);
  reader.Fault("d", "is odd");
  EXPECT_THAT([&] { reader.Finish(); },
              ThrowsMessage<Error>("file: tensor 'c': is there twice\n"
                                   "file: tensor 'step': expected one i32 of at least 0\n"
                                   "file: tensor 'a': expected one i32 of at least 0\n"
                                   "file: tensor 'b': expected one i32 of at least 3\n"
                                   "file: tensor 'd': is odd\n"
                                   "file: tensor 'c': belongs to no parameter of this optimizer"));
}

}  // namespace
}  // namespace twofour::optim
