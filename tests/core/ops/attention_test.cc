#include "twofour/core/ops/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/block_cache.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/attention/attention.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using kernels::kAttentionGradKeys;
using kernels::kAttentionGradQueries;
using kernels::kAttentionKeys;
using kernels::kAttentionQueries;
using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F64;
using test::Leaf;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Sizes {
  int64_t batch = 1, queries = 1, keys = 1, heads = 1, kv_heads = 1, head_size = 1, window = 0;

  friend void PrintTo(const Sizes& s, std::ostream* out) {
    *out << s.batch << " x " << s.queries << " queries, " << s.keys << " keys, heads " << s.heads << "/" << s.kv_heads
         << " of " << s.head_size << ", window " << s.window;
  }
};

struct Inputs {
  Tensor q, k, v;
};

Inputs RandomInputs(const Sizes& s, double spread = 2) {
  return {RandomF64({s.batch, s.queries, s.heads, s.head_size}, {1}, -spread, spread),
          RandomF64({s.batch, s.keys, s.kv_heads, s.head_size}, {2}, -spread, spread),
          RandomF64({s.batch, s.keys, s.kv_heads, s.head_size}, {3}, -spread, spread)};
}

/// Attention by its definition, one query at a time, and the gradients of sum(out * dout), one probability at a time.
struct Plain {
  Tensor out, dq, dk, dv;
};

Plain PlainAttention(const Sizes& s, const Inputs& in, const Tensor& dout, double scale) {
  Plain plain{Tensor::Zeros(in.q.shape(), DType::kF64), Tensor::Zeros(in.q.shape(), DType::kF64),
              Tensor::Zeros(in.k.shape(), DType::kF64), Tensor::Zeros(in.v.shape(), DType::kF64)};
  const double *q = in.q.data<double>(), *k = in.k.data<double>(), *v = in.v.data<double>();
  const double* dy = dout.data<double>();
  double *out = plain.out.mutable_data<double>(), *dq = plain.dq.mutable_data<double>();
  double *dk = plain.dk.mutable_data<double>(), *dv = plain.dv.mutable_data<double>();
  const auto dot = [&](const double* a, const double* b) {
    double sum = 0;
    for (int64_t i = 0; i < s.head_size; ++i) sum += a[i] * b[i];
    return sum;
  };
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t t = 0; t < s.queries; ++t) {
        const int64_t position = s.keys - s.queries + t, at = ((b * s.queries + t) * s.heads + h) * s.head_size;
        const auto key_at = [&](int64_t j) {
          return ((b * s.keys + j) * s.kv_heads + h * s.kv_heads / s.heads) * s.head_size;
        };
        std::vector<double> p(static_cast<size_t>(s.keys), 0.0), dp = p;
        double highest = -std::numeric_limits<double>::infinity(), sum = 0, mean = 0;
        const auto seen = [&](int64_t j) { return j <= position && (s.window == 0 || position - j < s.window); };
        for (int64_t j = 0; j < s.keys; ++j) {
          if (seen(j)) highest = std::max(highest, dot(q + at, k + key_at(j)) * scale);
        }
        for (int64_t j = 0; j < s.keys; ++j) {
          const auto i = static_cast<size_t>(j);
          if (seen(j)) sum += p[i] = std::exp(dot(q + at, k + key_at(j)) * scale - highest);
        }
        for (int64_t j = 0; j < s.keys; ++j) {
          const auto i = static_cast<size_t>(j);
          p[i] /= sum;
          dp[i] = dot(dy + at, v + key_at(j));
          mean += p[i] * dp[i];
        }
        for (int64_t j = 0; j < s.keys; ++j) {
          const auto i = static_cast<size_t>(j);
          const double ds = p[i] * (dp[i] - mean) * scale;
          for (int64_t c = 0; c < s.head_size; ++c) {
            out[at + c] += p[i] * v[key_at(j) + c];
            dv[key_at(j) + c] += p[i] * dy[at + c];
            dq[at + c] += ds * k[key_at(j) + c];
            dk[key_at(j) + c] += ds * q[at + c];
          }
        }
      }
    }
  }
  return plain;
}

/// Compares forward and backward in both dtypes with the definition.
void ExpectAgreesWithPlain(const Sizes& s, double spread = 2, double f32_tolerance = 2e-5) {
  SCOPED_TRACE(::testing::PrintToString(s));
  const Inputs in = RandomInputs(s, spread);
  const Tensor dout = RandomF64(in.q.shape(), {4});
  const Plain expected = PlainAttention(s, in, dout, 1 / std::sqrt(static_cast<double>(s.head_size)));
  for (const DType dtype : {DType::kF64, DType::kF32}) {
    SCOPED_TRACE(NameOf(dtype));
    Tensor q = in.q.To(dtype).Clone(), k = in.k.To(dtype).Clone(), v = in.v.To(dtype).Clone();
    for (Tensor* tensor : {&q, &k, &v}) tensor->set_requires_grad();
    const Tensor out = CausalAttention(q, k, v, {.window = s.window});
    out.Backward(dout.To(dtype));
    const double tolerance = dtype == DType::kF64 ? 1e-12 : f32_tolerance;
    ExpectClose(out.To(DType::kF64), expected.out, tolerance, tolerance);
    ExpectClose(q.grad().To(DType::kF64), expected.dq, tolerance, tolerance);
    ExpectClose(k.grad().To(DType::kF64), expected.dk, tolerance, tolerance);
    ExpectClose(v.grad().To(DType::kF64), expected.dv, tolerance, tolerance);
  }
}

std::vector<int64_t> LengthsAroundBlocks() {
  std::vector<int64_t> lengths = {1, 2, 17};
  for (const int64_t block : {kAttentionQueries, kAttentionKeys, kAttentionGradQueries, kAttentionGradKeys}) {
    for (const int64_t length : {block - 1, block, block + 1, 2 * block + 3}) lengths.push_back(length);
  }
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

TEST(CausalAttentionTest, KeysBeyondThoseThatCountChangeNothing) {
  // Like in a cache with room for 20 keys, of which 9 are filled.
  const int64_t room = 20, keys = 9;
  const Tensor q = RandomF64({2, 3, 4, 6}, {1}), dout = RandomF64(q.shape(), {4});
  const Tensor k = RandomF64({2, room, 2, 6}, {2}), v = RandomF64({2, room, 2, 6}, {3});
  const auto first_rows = [&](const Tensor& cache) {
    Tensor rows = Tensor::Empty({2, keys, 2, 6}, DType::kF64);
    for (int64_t b = 0; b < 2; ++b) {
      std::copy_n(cache.data<double>() + b * room * 12, keys * 12, rows.mutable_data<double>() + b * keys * 12);
    }
    return rows;
  };
  Tensor part_k = Leaf(first_rows(k)), part_v = Leaf(first_rows(v)), all_k = Leaf(k), all_v = Leaf(v);
  const Tensor expected = CausalAttention(q, part_k, part_v, {.window = 5});
  const Tensor out = CausalAttention(q, all_k, all_v, {.window = 5, .keys = keys});
  ExpectBitEqual(out, expected);
  expected.Backward(dout);
  out.Backward(dout);
  ExpectBitEqual(first_rows(all_k.grad()), part_k.grad());
  ExpectBitEqual(first_rows(all_v.grad()), part_v.grad());
  for (int64_t i = keys * 12; i < room * 12; ++i) EXPECT_EQ(all_k.grad().data<double>()[i], 0);
  EXPECT_THAT([&] { CausalAttention(q, k, v, {.keys = 21}); }, ThrowsMessage<Error>(HasSubstr("21 keys")));
}

TEST(CausalAttentionTest, KnownValues) {
  // With the scale, the scores of the second query are log 3 and 0, so its weights are 3/4 and 1/4.
  const Tensor q = F64({5, std::log(3.0)}, {1, 2, 1, 1}), k = F64({2, 0}, {1, 2, 1, 1});
  ExpectClose(CausalAttention(q, k, F64({8, 4}, {1, 2, 1, 1}), {.scale = 0.5}), F64({8, 7}, {1, 2, 1, 1}), 1e-15, 0);
  ExpectClose(CausalAttention(q, k, F64({8, 4}, {1, 2, 1, 1}), {.window = 1}), F64({8, 4}, {1, 2, 1, 1}), 1e-15, 0);
}

TEST(CausalAttentionTest, AgreesWithTheDefinitionForLengthsAroundBlocks) {
  for (const int64_t length : LengthsAroundBlocks()) {
    ExpectAgreesWithPlain({.batch = 2, .queries = length, .keys = length, .heads = 2, .kv_heads = 2, .head_size = 5});
  }
}

/// |actual - expected| / |expected|, in the Euclidean norm.
double RelativeError(const Tensor& actual, const Tensor& expected) {
  const std::vector<float> a = actual.ToVector(), e = expected.ToVector();
  double error = 0, size = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(e[i]), 2);
    size += std::pow(static_cast<double>(e[i]), 2);
  }
  return std::sqrt(error / size);
}

TEST(CausalAttentionTest, Bf16AgreesWithTheDefinitionForLengthsAroundBlocks) {
  for (const int64_t window : {0, 50, 115}) {
    for (const int64_t length : LengthsAroundBlocks()) {
      const Sizes s{.queries = length, .keys = length, .heads = 2, .kv_heads = 1, .head_size = 16, .window = window};
      SCOPED_TRACE(::testing::PrintToString(s));
      Inputs in = RandomInputs(s, 1);
      Tensor dout = RandomF64(in.q.shape(), {4});
      for (Tensor* tensor : {&in.q, &in.k, &in.v, &dout}) *tensor = tensor->To(DType::kBF16).To(DType::kF64);
      const Plain expected = PlainAttention(s, in, dout, 0.25);
      Tensor q = in.q.To(DType::kBF16), k = in.k.To(DType::kBF16), v = in.v.To(DType::kBF16);
      for (Tensor* tensor : {&q, &k, &v}) tensor->set_requires_grad();
      const Tensor out = CausalAttention(q, k, v, {.window = window});
      out.Backward(dout.To(DType::kBF16));
      // A few roundings to bf16. One row of these that is wrong would be an error of 0.04 or more.
      EXPECT_LT(RelativeError(out, expected.out), 0.01);
      EXPECT_LT(RelativeError(v.grad(), expected.dv), 0.01);
      if (length == 1) continue;  // A softmax over one key has no gradient.
      EXPECT_LT(RelativeError(q.grad(), expected.dq), 0.02);
      EXPECT_LT(RelativeError(k.grad(), expected.dk), 0.02);
    }
  }
}

TEST(CausalAttentionTest, AgreesWithTheDefinitionForWindows) {
  for (const int64_t length : {5, 130, 300}) {
    for (const int64_t window :
         {int64_t{1}, int64_t{3}, kAttentionQueries - 1, kAttentionQueries, kAttentionQueries + 1, kAttentionKeys - 1,
          kAttentionKeys, kAttentionKeys + 1, int64_t{299}, int64_t{1000}}) {
      ExpectAgreesWithPlain({.queries = length, .keys = length, .heads = 2, .head_size = 4, .window = window});
    }
  }
}

TEST(CausalAttentionTest, AgreesWithTheDefinitionForGroupsOfHeads) {
  for (const int64_t kv_heads : {1, 2, 3, 6}) {
    ExpectAgreesWithPlain({.batch = 3, .queries = 70, .keys = 70, .heads = 6, .kv_heads = kv_heads, .head_size = 8});
  }
  // With so many heads, keys are not cut into parts.
  ExpectAgreesWithPlain({.batch = 5, .queries = 140, .keys = 140, .heads = 8, .kv_heads = 4, .head_size = 4});
}

TEST(CausalAttentionTest, AgreesWithTheDefinitionForFewerQueriesThanKeys) {
  for (const int64_t keys : {2, 67, 260, 300}) {
    for (const int64_t queries : {1, 2, 66, 130, 259}) {
      if (queries > keys) continue;
      for (const int64_t window : {0, 1, 50, 100}) {
        ExpectAgreesWithPlain({.queries = queries, .keys = keys, .heads = 2, .head_size = 4, .window = window});
      }
    }
  }
}

TEST(CausalAttentionTest, AgreesWithTheDefinitionForHeadSizes) {
  for (const int64_t head_size : {1, 7, 32, 64, 100, 128}) {
    ExpectAgreesWithPlain({.queries = 75, .keys = 80, .heads = 2, .head_size = head_size}, 1);
  }
}

TEST(CausalAttentionTest, LargeScoresDoNotOverflow) {
  // Scores of both signs that are too large for exp in float, with the highest one late. f32 rounds them by up to 1e-4.
  ExpectAgreesWithPlain({.queries = 150, .keys = 150, .heads = 2, .head_size = 4}, 30, 5e-2);
  const Tensor q = Tensor::Full({1, 300, 1, 1}, 1e18), k = RandomF64({1, 300, 1, 1}, {1}, -1e18, 1e18).To(DType::kF32);
  const Tensor out = CausalAttention(q, k, Tensor::Full({1, 300, 1, 1}, 0.5));
  ExpectBitEqual(out, Tensor::Full({1, 300, 1, 1}, 0.5));
}

TEST(CausalAttentionTest, EqualKeysGiveTheMeanOfTheValuesSoFar) {
  constexpr int64_t kLength = 200;
  const Tensor q = RandomF64({1, kLength, 1, 3}, {1}), v = RandomF64({1, kLength, 1, 3}, {2});
  const Tensor out = CausalAttention(q, Tensor::Full({1, kLength, 1, 3}, 0.7, DType::kF64), v);
  std::vector<double> means(kLength * 3), sums(3, 0.0);
  for (size_t i = 0; i < means.size(); ++i) {
    sums[i % 3] += v.data<double>()[i];
    means[i] = sums[i % 3] / static_cast<double>(i / 3 + 1);
  }
  ExpectClose(out, F64(means, {1, kLength, 1, 3}), 1e-12, 1e-12);
}

TEST(CausalAttentionTest, WhatComesLaterChangesNothing) {
  // The bits of a query depend only on what it sees.
  const Inputs in = RandomInputs({.batch = 1, .queries = 200, .keys = 200, .heads = 2, .kv_heads = 2, .head_size = 16});
  const Tensor q = in.q.To(DType::kF32), k = in.k.To(DType::kF32), v = in.v.To(DType::kF32);
  const Tensor before = CausalAttention(q, k, v);
  constexpr int64_t kFrom = 131 * 2 * 16;
  Tensor other_k = k.Clone(), other_v = v.Clone();
  std::fill(other_k.mutable_data<float>() + kFrom, other_k.mutable_data<float>() + k.numel(), 9.0f);
  std::fill(other_v.mutable_data<float>() + kFrom, other_v.mutable_data<float>() + k.numel(), -9.0f);
  const Tensor after = CausalAttention(q, other_k, other_v);
  for (int64_t i = 0; i < kFrom; ++i) ASSERT_EQ(after.data<float>()[i], before.data<float>()[i]) << i;
}

TEST(CausalAttentionTest, ANanSpoilsTheRowsThatSeeIt) {
  Inputs in = RandomInputs({.queries = 150, .keys = 150, .head_size = 2});
  in.k.mutable_data<double>()[2 * 140] = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    const Tensor out = CausalAttention(in.q.To(dtype), in.k.To(dtype), in.v.To(dtype)).To(DType::kF64);
    for (int64_t i = 0; i < out.numel(); ++i) ASSERT_EQ(std::isnan(out.data<double>()[i]), i >= 2 * 140) << i;
  }
}

TEST(CausalAttentionTest, Gradients) {
  for (const Sizes& s : {Sizes{}, Sizes{.batch = 2, .queries = 5, .keys = 5, .heads = 4, .kv_heads = 2, .head_size = 3},
                         Sizes{.queries = 3, .keys = 7, .heads = 2, .head_size = 2, .window = 2},
                         Sizes{.queries = 140, .keys = 150, .heads = 2, .head_size = 3, .window = 90},
                         Sizes{.batch = 0, .queries = 5, .keys = 5}, Sizes{.batch = 2, .queries = 0, .keys = 3},
                         Sizes{.batch = 2, .queries = 0, .keys = 0}}) {
    SCOPED_TRACE(::testing::PrintToString(s));
    const Inputs in = RandomInputs(s);
    for (int wanted = 1; wanted < 8; ++wanted) {
      SCOPED_TRACE(wanted);
      const auto attention = [&](const auto& x) {
        return CausalAttention(x[0], x[1], x[2], {.window = s.window, .scale = 0.6});
      };
      EXPECT_TRUE(CheckGradients(
          attention, {wanted & 1 ? Leaf(in.q) : in.q, wanted & 2 ? Leaf(in.k) : in.k, wanted & 4 ? Leaf(in.v) : in.v},
          {.max_varied = 20}));
    }
  }
}

TEST(CausalAttentionTest, OneTensorMayBeQueriesKeysAndValues) {
  EXPECT_TRUE(CheckGradients([](const auto& in) { return CausalAttention(in[0], in[0], in[0]); },
                             {Leaf(RandomF64({2, 9, 2, 3}, {1}))}));
}

TEST(CausalAttentionTest, SameBitsForAnyNumberOfThreads) {
  for (const Sizes& s :
       {Sizes{.batch = 1, .queries = 400, .keys = 400, .heads = 3, .kv_heads = 1, .head_size = 32},
        Sizes{.batch = 2, .queries = 300, .keys = 450, .heads = 16, .kv_heads = 8, .head_size = 16, .window = 200},
        Sizes{.batch = 1, .queries = 1, .keys = 2000, .heads = 8, .kv_heads = 2, .head_size = 64}}) {
    SCOPED_TRACE(::testing::PrintToString(s));
    const Inputs in = RandomInputs(s);
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      std::vector<Tensor> expected;
      for (const int threads : {1, 2, 3}) {
        const test::ScopedNumThreads scope(threads);
        Tensor q = in.q.To(dtype).Clone(), k = in.k.To(dtype).Clone(), v = in.v.To(dtype).Clone();
        for (Tensor* tensor : {&q, &k, &v}) tensor->set_requires_grad();
        const Tensor out = CausalAttention(q, k, v, {.window = s.window});
        out.Backward(RandomF64(out.shape(), {4}).To(dtype));
        const std::vector<Tensor> actual = {out, q.grad(), k.grad(), v.grad()};
        if (expected.empty()) expected = actual;
        for (size_t i = 0; i < actual.size(); ++i) ExpectBitEqual(actual[i], expected[i]);
      }
    }
  }
}

TEST(CausalAttentionTest, MemoryIsLinearInTheLength) {
  // Everything that was allocated, in tensors and blocks of scores, is in the cache afterwards (nothing is under
  // AddressSanitizer). The probabilities alone would be 128 MiB.
  constexpr int64_t kLength = 2048, kHeads = 8;
  BlockCache::Default().Clear();
  {
    Tensor q = Tensor::Full({1, kLength, kHeads, 4}, 0.5), k = q.Clone(), v = q.Clone();
    for (Tensor* tensor : {&q, &k, &v}) tensor->set_requires_grad();
    const Tensor out = CausalAttention(q, k, v);
    out.Backward(Tensor::Full(out.shape(), 1));
  }
  EXPECT_LT(BlockCache::Default().cached_bytes(), size_t{16} << 20);
}

TEST(CausalAttentionTest, Errors) {
  const Tensor q = Tensor::Zeros({2, 3, 4, 8}), k = Tensor::Zeros({2, 5, 2, 8});
  const auto expect = [](const Tensor& query, const Tensor& key, const Tensor& value, const char* message,
                         const AttentionOptions& options = {}) {
    EXPECT_THAT([&] { CausalAttention(query, key, value, options); },
                ThrowsMessage<Error>(HasSubstr("CausalAttention: " + std::string(message))));
  };
  expect(Tensor(), k, k, "q is undefined");
  expect(q, Tensor(), k, "k is undefined");
  expect(q, k, Tensor(), "v is undefined");
  expect(test::I32({1}, {1, 1, 1, 1}), k, k, "q has dtype i32, expected f32, f64, f16 or bf16");
  expect(q, k.To(DType::kF64), k, "k has dtype f64, expected f32");
  expect(q, k, k.To(DType::kF64), "v has dtype f64, expected f32");
  expect(q.View({2, 3, 32}), k, k, "q has shape [2, 3, 32], expected [batch, Tq, heads, head_size]");
  expect(q, k.View({2, 5, 16}), k, "k has shape [2, 5, 16], expected [batch, Tk, kv_heads, head_size]");
  expect(Tensor::Zeros({2, 3, 4, 0}), k, k, "q has shape [2, 3, 4, 0], an empty head");
  expect(q, Tensor::Zeros({2, 5, 2, 6}), k, "k has shape [2, 5, 2, 6], expected [2, 5, 2, 8]");
  expect(q, Tensor::Zeros({1, 5, 2, 8}), k, "k has shape [1, 5, 2, 8], expected [2, 5, 2, 8]");
  expect(q, k, Tensor::Zeros({2, 4, 2, 8}), "v has shape [2, 4, 2, 8], expected [2, 5, 2, 8]");
  const Tensor three = Tensor::Zeros({2, 5, 3, 8}), none = Tensor::Zeros({2, 5, 0, 8}),
               two = Tensor::Zeros({2, 2, 2, 8});
  expect(q, three, three, "4 heads of q, expected a multiple of the 3 of k");
  expect(q, none, none, "4 heads of q, expected a multiple of the 0 of k");
  expect(q, two, two, "3 queries, expected at most as many as keys, 2");
  expect(q, k, k, "window -1, expected at least 0", {.window = -1});
  expect(q, k, k, "scale inf, expected a finite number", {.scale = std::numeric_limits<double>::infinity()});
}

}  // namespace
}  // namespace twofour
