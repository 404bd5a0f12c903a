#include "twofour/core/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/sanitized.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::F64;
using test::I32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor Bool(const std::vector<bool>& values, Shape shape) { return Tensor::FromVector(values, std::move(shape)); }

TEST(TensorTest, Construction) {
  EXPECT_THAT(Tensor::Zeros({2, 2}).ToVector(), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(Tensor::Full({3}, 2.5).ToVector(), ElementsAre(2.5, 2.5, 2.5));
  EXPECT_THAT(Tensor::Full({2}, -7, DType::kI32).ToVector(), ElementsAre(-7, -7));
  EXPECT_EQ(Tensor::Scalar(4, DType::kF64).shape(), Shape{});
  EXPECT_EQ(Tensor::Scalar(4, DType::kF64).item(), 4);
  EXPECT_EQ(Tensor::Empty({2, 3}).dtype(), DType::kF32);
  const Tensor t = F64({1, 2, 3}, {3, 1});
  EXPECT_EQ(t.dtype(), DType::kF64);
  EXPECT_EQ(t.data<double>()[2], 3);
  EXPECT_THAT([] { F32({1, 2, 3}, {2, 2}); }, ThrowsMessage<Error>(AllOf(HasSubstr("3 values"), HasSubstr("[2, 2]"))));
}

TEST(TensorTest, MemoryIsAlignedForVectors) {
  for (int64_t n : {1, 3, 17, 1000}) {
    const Tensor t = Tensor::Empty({n}, DType::kBool);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.raw()) % Storage::kAlignment, 0u);
  }
}

TEST(TensorTest, MemoryThatCannotBeHadIsAnError) {
  if (test::kSanitized) GTEST_SKIP() << "the sanitizer's allocator ends the program";
  // 2^48 doubles need more address space than a process has.
  try {
    Tensor::Empty({int64_t{1} << 48}, DType::kF64);
    FAIL() << "2^51 bytes were granted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRuntimeFailure);
    EXPECT_THAT(error.what(), HasSubstr("2251799813685248 bytes"));
  }
}

TEST(TensorTest, ShapeQueries) {
  const Tensor t = Tensor::Zeros({2, 3, 4});
  EXPECT_EQ(t.rank(), 3);
  EXPECT_EQ(t.numel(), 24);
  EXPECT_EQ(t.dim(0), 2);
  EXPECT_EQ(t.dim(-1), 4);
  EXPECT_EQ(t.dim(-3), 2);
  EXPECT_EQ(t.rows(), 6);
  EXPECT_EQ(t.cols(), 4);
  EXPECT_EQ(Tensor::Scalar(1).rows(), 1);
  EXPECT_EQ(Tensor::Scalar(1).cols(), 1);
  EXPECT_EQ(Tensor::Zeros({5}).rows(), 1);
  EXPECT_EQ(Tensor::Zeros({5}).cols(), 5);
  EXPECT_EQ(Tensor::Zeros({5, 0}).rows(), 5);
  EXPECT_THAT([&] { t.dim(3); }, ThrowsMessage<Error>(AllOf(HasSubstr("axis 3"), HasSubstr("[2, 3, 4]"))));
  EXPECT_THAT([&] { t.dim(-4); }, ThrowsMessage<Error>(HasSubstr("axis -4")));
}

TEST(TensorTest, EmptyTensorsWork) {
  Tensor t = Tensor::Zeros({0, 3});
  t.Fill(1);
  ExpectBitEqual(t.Clone(), t);
  ExpectBitEqual(t.To(DType::kF64), Tensor::Empty({0, 3}, DType::kF64));
  t.CopyFrom(Tensor::Empty({0, 3}));
  EXPECT_TRUE(t.ToVector().empty());
  EXPECT_EQ(t.View({3, 0}).shape(), Shape({3, 0}));
}

TEST(TensorTest, UndefinedTensorsSayWhatWasAsked) {
  Tensor t;
  EXPECT_FALSE(t.defined());
  EXPECT_FALSE(t.requires_grad());
  EXPECT_FALSE(t.IsSameStorage(t));
  EXPECT_FALSE(t.IsSoleOwner());
  EXPECT_THAT([&] { t.shape(); }, ThrowsMessage<Error>(HasSubstr("shape: the tensor is undefined")));
  EXPECT_THAT([&] { t.dtype(); }, ThrowsMessage<Error>(HasSubstr("dtype: the tensor is undefined")));
  EXPECT_THAT([&] { t.numel(); }, ThrowsMessage<Error>(HasSubstr("numel: the tensor is undefined")));
  EXPECT_THAT([&] { t.version(); }, ThrowsMessage<Error>(HasSubstr("version: the tensor is undefined")));
  EXPECT_THAT([&] { t.raw(); }, ThrowsMessage<Error>(HasSubstr("raw: the tensor is undefined")));
  EXPECT_THAT([&] { t.data<float>(); }, ThrowsMessage<Error>(HasSubstr("data: the tensor is undefined")));
  EXPECT_THAT([&] { t.grad(); }, ThrowsMessage<Error>(HasSubstr("grad: the tensor is undefined")));
  EXPECT_THAT([&] { t.set_requires_grad(); }, ThrowsMessage<Error>(HasSubstr("the tensor is undefined")));
  EXPECT_THROW(t.Clone(), Error);
  EXPECT_THROW(t.Detach(), Error);
  EXPECT_THROW(t.Fill(0), Error);
  EXPECT_THROW(t.Backward(), Error);
  EXPECT_THROW(t.rows(), Error);
  EXPECT_THROW(t.cols(), Error);
  EXPECT_THROW(t.item(), Error);
}

void NamedFunction(const Tensor& t) { t.data<double>(); }

TEST(TensorTest, DataOfAnotherTypeIsAnErrorThatNamesTheFunction) {
  EXPECT_THAT([] { NamedFunction(Tensor::Zeros({2}, DType::kBF16)); },
              ThrowsMessage<Error>(Eq("NamedFunction: the tensor holds bf16, not f64")));
  EXPECT_THAT([] { NamedFunction(Tensor()); }, ThrowsMessage<Error>(Eq("NamedFunction: the tensor is undefined")));
  EXPECT_THAT([] { F32({}, {0}).data<double>("Op"); }, ThrowsMessage<Error>(Eq("Op: the tensor holds f32, not f64")));
  EXPECT_THAT([] { F32({}, {0}).data<double>(); }, ThrowsMessage<Error>(Eq("data: the tensor holds f32, not f64")));
}

TEST(TensorTest, BytesAndBoolsAreNotReadAsEachOther) {
  Tensor bools = Tensor::Zeros({2}, DType::kBool), bytes = Tensor::Zeros({2}, DType::kU8);
  EXPECT_EQ(bools.data<bool>()[1], false);
  EXPECT_EQ(bytes.data<uint8_t>()[1], 0);
  EXPECT_THAT([&] { bools.data<uint8_t>(); }, ThrowsMessage<Error>(HasSubstr("the tensor holds bool, not u8")));
  EXPECT_THAT([&] { bytes.mutable_data<bool>(); }, ThrowsMessage<Error>(HasSubstr("the tensor holds u8, not bool")));
}

TEST(TensorTest, HoldsEveryDType) {
  for (const DTypeInfo& info : kDTypes) {
    SCOPED_TRACE(info.name);
    EXPECT_EQ(Tensor::Scalar(1, info.dtype).item(), 1);
    EXPECT_THAT(Tensor::Full({2}, 1, info.dtype).ToVector(), ElementsAre(1, 1));
    EXPECT_THAT(Tensor::Zeros({2}, info.dtype).ToVector(), ElementsAre(0, 0));
    DispatchDType(info.dtype, [&](auto zero) {
      using T = decltype(zero);
      const Tensor t = Tensor::FromVector<T>({T(1), T(0)}, {2});
      EXPECT_EQ(t.dtype(), info.dtype);
      EXPECT_THAT(t.Clone().ToVector(), ElementsAre(1, 0));
      EXPECT_THAT(t.To(DType::kF32).ToVector(), ElementsAre(1, 0));
      ExpectBitEqual(F64({1, 0}, {2}).To(info.dtype), t);
    });
  }
}

TEST(TensorTest, DataOfAnotherTypeIsAnError) {
  Tensor t = Tensor::Zeros({2});
  EXPECT_THAT([&] { t.data<double>(); }, ThrowsMessage<Error>(HasSubstr("the tensor holds f32, not f64")));
  EXPECT_THAT([&] { t.mutable_data<int32_t>(); }, ThrowsMessage<Error>(HasSubstr("the tensor holds f32, not i32")));
}

TEST(TensorTest, Item) {
  EXPECT_EQ(I32({-3}, {1, 1}).item(), -3);
  EXPECT_EQ(F32({0.5}, {1}).item(), 0.5);
  EXPECT_EQ(Bool({1}, {}).item(), 1);
  EXPECT_THAT([] { F32({1, 2}, {2}).item(); }, ThrowsMessage<Error>(HasSubstr("got shape [2]")));
  EXPECT_THROW(Tensor::Empty({0}).item(), Error);
}

TEST(TensorTest, CopiesOfAHandleShareElements) {
  Tensor a = F32({1, 2}, {2});
  Tensor b = a;
  b.mutable_data<float>()[0] = 9;
  EXPECT_EQ(a.data<float>()[0], 9);
  EXPECT_TRUE(a.IsSameStorage(b));
  const Tensor c = a.Clone();
  EXPECT_FALSE(a.IsSameStorage(c));
  ExpectBitEqual(c, a);
}

TEST(TensorTest, SoleOwner) {
  Tensor a = F32({1, 2}, {2});
  EXPECT_TRUE(a.IsSoleOwner());
  {
    const Tensor handle = a;
    EXPECT_FALSE(a.IsSoleOwner());
  }
  {
    const Tensor view = a.Detach();
    EXPECT_FALSE(a.IsSoleOwner());
    EXPECT_FALSE(view.IsSoleOwner());
  }
  EXPECT_TRUE(a.IsSoleOwner());
}

TEST(TensorTest, VersionCountsWritesThroughAllHandles) {
  Tensor a = Tensor::Zeros({4});
  Tensor view = a.View({2, 2}), detached = a.Detach();
  const auto advances = [&](auto write) {
    const uint64_t before = a.version();
    write();
    EXPECT_EQ(view.version(), a.version());
    return a.version() > before;
  };
  EXPECT_TRUE(advances([&] { a.mutable_data<float>(); }));
  EXPECT_TRUE(advances([&] { view.mutable_data<float>(); }));
  EXPECT_TRUE(advances([&] { detached.mutable_raw(); }));
  EXPECT_TRUE(advances([&] { a.Fill(1); }));
  EXPECT_TRUE(advances([&] { a.CopyFrom(Tensor::Zeros({4})); }));
  EXPECT_FALSE(advances([&] { a.data<float>(); }));
  EXPECT_FALSE(advances([&] { a.Clone().Fill(2); }));
  EXPECT_FALSE(advances([&] { a.To(DType::kF64).Fill(2); }));
}

TEST(TensorTest, ViewErrors) {
  EXPECT_THAT(
      [] {
        Tensor::Zeros({2, 3}).View({4});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[2, 3]"), HasSubstr("[4]"))));
  EXPECT_THROW(Tensor::Zeros({2, 3}).View({-2, -3}), Error);
}

TEST(TensorTest, ViewDetachAndCloneLeaveTheGraph) {
  Tensor a = Tensor::Zeros({4});
  a.set_requires_grad();
  EXPECT_FALSE(a.View({2, 2}).requires_grad());
  EXPECT_FALSE(a.Detach().requires_grad());
  EXPECT_FALSE(a.Clone().requires_grad());
  EXPECT_FALSE(a.To(DType::kF32).requires_grad());
  EXPECT_FALSE(a.To(DType::kF64).requires_grad());
  EXPECT_TRUE(a.To(DType::kF32).IsSameStorage(a));
}

TEST(TensorTest, Conversions) {
  ExpectBitEqual(F32({1.75, -2}, {2}).To(DType::kF64), F64({1.75, -2}, {2}));
  ExpectBitEqual(F64({0.1}, {1}).To(DType::kF32), F32({0.1f}, {1}));
  ExpectBitEqual(F32({1.75, -1.75, 2147483520.0f}, {3}).To(DType::kI32), I32({1, -1, 2147483520}, {3}));
  ExpectBitEqual(I32({-7}, {1}).To(DType::kF32), F32({-7}, {1}));
  ExpectBitEqual(Bool({0, 1}, {2}).To(DType::kF32), F32({0, 1}, {2}));
}

TEST(TensorTest, ConversionToBoolIsZeroOrOne) {
  ExpectBitEqual(F32({0, 0.5, -2, 256, NAN}, {5}).To(DType::kBool), Bool({0, 1, 1, 1, 1}, {5}));
  ExpectBitEqual(I32({0, 256, -1}, {3}).To(DType::kBool), Bool({0, 1, 1}, {3}));
  ExpectBitEqual(Tensor::Full({2}, 256, DType::kBool), Bool({1, 1}, {2}));
}

TEST(TensorTest, NumbersThatI32CannotHoldAreErrors) {
  for (const double bad : {2147483648.0, -2147483649.0, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    SCOPED_TRACE(bad);
    EXPECT_THROW(F64({0, bad}, {2}).To(DType::kI32), Error);
    EXPECT_THROW(Tensor::Full({2}, bad, DType::kI32), Error);
  }
  EXPECT_THAT([] { F32({3e9f}, {1}).To(DType::kI32); },
              ThrowsMessage<Error>(AllOf(HasSubstr("3000000000"), HasSubstr("i32"))));
  ExpectBitEqual(F64({2147483647.0, -2147483648.0}, {2}).To(DType::kI32), I32({INT32_MAX, INT32_MIN}, {2}));
}

TEST(TensorTest, NumbersThatAnIntegerCannotHoldAreErrors) {
  const auto expect = [](const Tensor& x, DType dtype, const char* message) {
    EXPECT_THAT([&] { x.To(dtype); }, ThrowsMessage<Error>(Eq(message)));
  };
  expect(F32({-129}, {1}), DType::kI8, "cannot store -129 as i8, expected -128 to 127");
  expect(F32({256}, {1}), DType::kU8, "cannot store 256 as u8, expected 0 to 255");
  expect(I32({-1}, {1}), DType::kU8, "cannot store -1 as u8, expected 0 to 255");
  expect(I32({40000}, {1}), DType::kI16, "cannot store 40000 as i16, expected -32768 to 32767");
  expect(F64({0x1p63}, {1}), DType::kI64,
         "cannot store 9.223372036854776e+18 as i64, expected -9223372036854775808 to 9223372036854775807");
  const Tensor large = Tensor::FromVector<int64_t>({(int64_t{1} << 53) + 1}, {1});
  expect(large, DType::kI32, "cannot store 9007199254740993 as i32, expected -2147483648 to 2147483647");
  EXPECT_THROW(Tensor::Full({1}, 128, DType::kI8), Error);
  ExpectBitEqual(F32({-128.9F, 127.9F}, {2}).To(DType::kI8), Tensor::FromVector<int8_t>({-128, 127}, {2}));
  ExpectBitEqual(F32({-0.9F, 255.9F}, {2}).To(DType::kU8), Tensor::FromVector<uint8_t>({0, 255}, {2}));
  ExpectBitEqual(F64({-0x1p63}, {1}).To(DType::kI64), Tensor::FromVector<int64_t>({INT64_MIN}, {1}));
  ExpectBitEqual(I32({-128}, {1}).To(DType::kI8), Tensor::FromVector<int8_t>({-128}, {1}));
}

TEST(TensorTest, CopyFrom) {
  Tensor target = Tensor::Zeros({2});
  target.CopyFrom(F32({3, 4}, {2}));
  EXPECT_THAT(target.ToVector(), ElementsAre(3, 4));
  target.CopyFrom(target);
  EXPECT_THAT(target.ToVector(), ElementsAre(3, 4));
  EXPECT_THAT([&] { target.CopyFrom(F32({1}, {1})); },
              ThrowsMessage<Error>(AllOf(HasSubstr("f32 [1]"), HasSubstr("f32 [2]"))));
  EXPECT_THAT([&] { target.CopyFrom(F64({1, 2}, {2})); }, ThrowsMessage<Error>(HasSubstr("f64 [2] into f32 [2]")));
}

TEST(TensorTest, OnlyFloatingTensorsTakeGradients) {
  EXPECT_THAT([] { I32({1}, {1}).set_requires_grad(); },
              ThrowsMessage<Error>(AllOf(HasSubstr("set_requires_grad"), HasSubstr("i32"))));
  EXPECT_FALSE(I32({1}, {1}).set_requires_grad(false).requires_grad());
}

TEST(TensorTest, SetGrad) {
  Tensor x = Tensor::Zeros({2});
  EXPECT_FALSE(x.grad().defined());
  x.set_grad(F32({1, 2}, {2}));
  EXPECT_THAT(x.grad().ToVector(), ElementsAre(1, 2));
  EXPECT_THAT([&] { x.set_grad(F32({1}, {1})); },
              ThrowsMessage<Error>(AllOf(HasSubstr("set_grad"), HasSubstr("[1]"), HasSubstr("[2]"))));
  EXPECT_THAT(
      [&] {
        x.set_grad(F64({1, 2}, {2}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("set_grad"), HasSubstr("f64"), HasSubstr("f32"))));
  x.ZeroGrad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(TensorTest, SetGradOf16BitsOfAnF32Tensor) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    Tensor x = Tensor::Zeros({2}), narrow = Tensor::Zeros({2}, dtype);
    x.set_grad(F32({1, -0.375f}, {2}).To(dtype));
    ExpectBitEqual(x.grad(), F32({1, -0.375f}, {2}));
    narrow.set_grad(F32({1, 2}, {2}).To(dtype));
    EXPECT_EQ(narrow.grad().dtype(), dtype);
    EXPECT_THAT([&] { narrow.set_grad(F32({1, 2}, {2})); }, ThrowsMessage<Error>(HasSubstr("f32 [2]")));
  }
  Tensor x = Tensor::Zeros({2});
  EXPECT_THAT([&] { x.set_grad(I32({1, 2}, {2})); }, ThrowsMessage<Error>(HasSubstr("i32 [2]")));
}

TEST(TensorTest, BoolsAreReadAndWrittenAsBool) {
  Tensor t = Tensor::FromVector(std::vector<bool>{true, false, true}, {3});
  EXPECT_EQ(t.dtype(), DType::kBool);
  EXPECT_TRUE(t.data<bool>()[0]);
  EXPECT_FALSE(t.data<bool>()[1]);
  const uint64_t version = t.version();
  t.mutable_data<bool>()[1] = true;
  EXPECT_EQ(t.version(), version + 1);
  ExpectBitEqual(t, Bool({1, 1, 1}, {3}));
  EXPECT_THAT([] { F32({1}, {1}).data<bool>(); }, ThrowsMessage<Error>(HasSubstr("the tensor holds f32, not bool")));
  EXPECT_THAT([] { Tensor::FromVector(std::vector<bool>{true}, {2}); },
              ThrowsMessage<Error>(HasSubstr("1 values for shape [2]")));
}

}  // namespace
}  // namespace twofour
