#include "twofour/core/kernels/gemm/symmetric_product.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using test::RandomF64;
using test::ScopedNumThreads;

TEST(SymmetricProductTest, IsTheProductWithItsTranspose) {
  for (int64_t n : {1, 7, 127, 128, 129, 300}) {
    for (int64_t k : {1, 5, 70}) {
      for (Transpose transpose : {Transpose::kNo, Transpose::kYes}) {
        const bool transposed = transpose == Transpose::kYes;
        SCOPED_TRACE(::testing::Message() << "n " << n << ", k " << k << (transposed ? ", transposed" : ""));
        const Tensor a = RandomF32(transposed ? Shape{k, n} : Shape{n, k}, {.seed = 1});
        Tensor product = Tensor::Full({n, n}, std::nan("")), expected = Tensor::Zeros({n, n});
        SymmetricProduct(transpose, n, k, a.data<float>(), product.mutable_data<float>());
        const auto at = [&](int64_t row, int64_t depth) {
          return static_cast<double>(a.data<float>()[transposed ? depth * n + row : row * k + depth]);
        };
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t c = 0; c < n; ++c) {
            double sum = 0;
            for (int64_t depth = 0; depth < k; ++depth) sum += at(r, depth) * at(c, depth);
            expected.mutable_data<float>()[r * n + c] = static_cast<float>(sum);
            ASSERT_EQ(product.data<float>()[r * n + c], product.data<float>()[c * n + r]) << r << ", " << c;
          }
        }
        ExpectClose(product, expected, 1e-5, 1e-5);
      }
    }
  }
}

TEST(SymmetricProductTest, AddsUpInDouble) {
  for (int64_t n : {1, 127, 129, 700}) {
    for (Transpose transpose : {Transpose::kNo, Transpose::kYes}) {
      const int64_t k = 37;
      const bool transposed = transpose == Transpose::kYes;
      SCOPED_TRACE(::testing::Message() << "n " << n << (transposed ? ", transposed" : ""));
      const Tensor a = RandomF64(transposed ? Shape{k, n} : Shape{n, k}, {.seed = 3});
      const Tensor before = RandomF64({n, n}, {.seed = 4});
      const auto at = [&](int64_t row, int64_t depth) {
        return a.data<double>()[transposed ? depth * n + row : row * k + depth];
      };
      Tensor expected = before.Clone(), first;
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t c = r; c < n; ++c) {
          double sum = before.data<double>()[r * n + c];
          for (int64_t depth = 0; depth < k; ++depth) sum += at(r, depth) * at(c, depth);
          expected.mutable_data<double>()[r * n + c] = expected.mutable_data<double>()[c * n + r] = sum;
        }
      }
      for (int threads : {1, 3}) {
        const ScopedNumThreads scope(threads);
        Tensor product = before.Clone();
        AddSymmetricProduct(transpose, n, k, a.data<double>(), product.mutable_data<double>());
        ExpectClose(product, expected, 1e-13, 1e-13);
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t c = 0; c < r; ++c) {
            ASSERT_EQ(product.data<double>()[r * n + c], product.data<double>()[c * n + r]) << r << ", " << c;
          }
        }
        if (threads == 1) first = product;
        ExpectBitEqual(product, first);
      }
    }
  }
}

TEST(SymmetricProductTest, EmptyProducts) {
  SymmetricProduct(Transpose::kNo, 0, 3, nullptr, nullptr);
  Tensor product = Tensor::Full({130, 130}, 1);
  SymmetricProduct(Transpose::kYes, 130, 0, nullptr, product.mutable_data<float>());
  ExpectBitEqual(product, Tensor::Zeros({130, 130}));
  Tensor sum = Tensor::Full({130, 130}, 1).To(DType::kF64);
  AddSymmetricProduct(Transpose::kYes, 130, 0, nullptr, sum.mutable_data<double>());
  ExpectBitEqual(sum, Tensor::Full({130, 130}, 1).To(DType::kF64));
}

TEST(SymmetricProductTest, ThreadsDoNotMatter) {
  for (Transpose transpose : {Transpose::kNo, Transpose::kYes}) {
    const Tensor a = RandomF32({400, 400}, {.seed = 2});
    std::vector<Tensor> products;
    for (int threads : {1, 2, 3}) {
      const ScopedNumThreads scope(threads);
      products.push_back(Tensor::Empty({400, 400}));
      SymmetricProduct(transpose, 400, 400, a.data<float>(), products.back().mutable_data<float>());
    }
    ExpectBitEqual(products[1], products[0]);
    ExpectBitEqual(products[2], products[0]);
  }
}

}  // namespace
}  // namespace twofour::kernels
