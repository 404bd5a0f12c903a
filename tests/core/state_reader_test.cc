#include "twofour/core/state_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::F32;
using ::testing::ThrowsMessage;

TEST(StateReaderTest, HandsOutWhatIsThere) {
  StateReader reader({{"a", F32({1, 2}, {2})}, {"a.step", CountTensor(3)}, {"a.rate", Tensor::Scalar(0.5)}}, "file");
  ExpectBitEqual(reader.Take("a"), F32({1, 2}, {2}));
  EXPECT_FALSE(reader.Take("a").defined());
  EXPECT_EQ(reader.TakeCount("a.step", 3), 3);
  EXPECT_EQ(reader.TakeScalar("a.rate", DType::kF32, 0, 1, "expected a rate"), 0.5);
  EXPECT_EQ(reader.TakeScalar("b.rate", DType::kF32, 0, 1, "expected a rate"), std::nullopt);
  EXPECT_NO_THROW(reader.Finish("nobody knows it"));
}

TEST(StateReaderTest, ListsAllFaults) {
  StateReader reader(
      {{"a", F32({1}, {1})}, {"b", CountTensor(2)}, {"c", F32({1}, {1})}, {"c", F32({2}, {1})}, {"u", Tensor()}},
      "file");
  reader.TakeCount("step", 0);
  reader.TakeCount("a", 0);
  reader.TakeCount("b", 3);
  reader.Fault("d", "is odd");
  EXPECT_THAT([&] { reader.Finish("belongs to no parameter of this optimizer"); },
              ThrowsMessage<Error>("file: tensor 'c': is there twice\n"
                                   "file: tensor 'u': is undefined\n"
                                   "file: tensor 'step': missing, expected one i32 of at least 0\n"
                                   "file: tensor 'a': expected one i32 of at least 0\n"
                                   "file: tensor 'b': expected one i32 of at least 3\n"
                                   "file: tensor 'd': is odd"));
}

TEST(StateReaderTest, TellsOnlyTheFirstFaultOfATensor) {
  StateReader reader(
      {{"u", Tensor()}, {"t", F32({1}, {1})}, {"t", F32({1}, {1})}, {"t", Tensor()}, {"x", Tensor()}, {"n", Tensor()}},
      "file");
  for (const char* name : {"u", "t", "x", "n"}) EXPECT_TRUE(reader.Has(name)) << name;
  EXPECT_FALSE(reader.Has("v"));
  EXPECT_FALSE(reader.Take("u").defined());
  reader.Fault("u", "missing, the model expects f32 [1]");
  EXPECT_FALSE(reader.Take("t").defined());
  EXPECT_EQ(reader.TakeCount("n", 0), std::nullopt);
  EXPECT_EQ(reader.fault_count(), 4u);
  EXPECT_THAT([&] { reader.Finish("nobody knows it"); }, ThrowsMessage<Error>("file: tensor 'u': is undefined\n"
                                                                              "file: tensor 't': is there twice\n"
                                                                              "file: tensor 'x': is undefined\n"
                                                                              "file: tensor 'n': is undefined"));
}

TEST(StateReaderTest, AScalarOutOfItsBoundsIsAFault) {
  const auto f64 = [](double value) { return Tensor::Scalar(value, DType::kF64); };
  for (const Tensor& bad : {f64(-0.1), f64(1.1), f64(std::nan("")), Tensor::Scalar(0.5),
                            Tensor::Zeros({2}, DType::kF64), Tensor::Zeros({0}, DType::kF64)}) {
    StateReader reader({{"r", bad}}, "file");
    EXPECT_EQ(reader.TakeScalar("r", DType::kF64, 0, 1, "expected one f64 in [0, 1]"), std::nullopt);
    EXPECT_THAT([&] { reader.Finish(""); }, ThrowsMessage<Error>("file: tensor 'r': expected one f64 in [0, 1]"));
  }
}

}  // namespace
}  // namespace twofour
