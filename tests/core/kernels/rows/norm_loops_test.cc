#include "twofour/core/kernels/rows/norm_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "twofour/core/kernels/rows/norm.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::AwkwardFloats;

constexpr float kCenter = 0.3f, kScale = 1.7f, kMeanG = -0.2f, kMeanGn = 0.6f;
constexpr float kGuard = 12345;

/// A row, with or without weight and bias.
struct Row {
  std::vector<float> x, dy, weight, bias, out;
  const float *weight_or_null, *bias_or_null;

  Row(int64_t n, bool has_weight, bool has_bias)
      : x(AwkwardFloats(n + 1, {.seed = 1, .stream = static_cast<uint32_t>(n)}, false)),
        dy(AwkwardFloats(n + 1, {.seed = 2, .stream = static_cast<uint32_t>(n)}, false)),
        weight(AwkwardFloats(n + 1, {.seed = 3, .stream = static_cast<uint32_t>(n)}, false)),
        bias(AwkwardFloats(n + 1, {.seed = 4, .stream = static_cast<uint32_t>(n)}, false)),
        out(static_cast<size_t>(n + 1), kGuard),
        weight_or_null(has_weight ? weight.data() + 1 : nullptr),
        bias_or_null(has_bias ? bias.data() + 1 : nullptr) {}

  double X(int64_t i) const { return static_cast<double>(x[static_cast<size_t>(i + 1)]); }
  double Dy(int64_t i) const { return static_cast<double>(dy[static_cast<size_t>(i + 1)]); }
  double Weight(int64_t i) const { return weight_or_null == nullptr ? 1.0 : static_cast<double>(weight_or_null[i]); }
  double Bias(int64_t i) const { return bias_or_null == nullptr ? 0.0 : static_cast<double>(bias_or_null[i]); }
};

template <typename F>
void ForEachRow(F body) {
  test::ForEachIsa([&](Isa) {
    for (int64_t n = 0; n <= 70; ++n) {
      for (const bool has_weight : {false, true}) {
        for (const bool has_bias : {false, true}) {
          SCOPED_TRACE(::testing::Message() << n << (has_weight ? " weight" : "") << (has_bias ? " bias" : ""));
          Row row(n, has_weight, has_bias);
          body(n, row);
          ASSERT_EQ(row.out[static_cast<size_t>(n)], kGuard);
        }
      }
    }
  });
}

/// Expects equality up to a few roundings to f32 of terms as large as `magnitude`.
void ExpectNear(float actual, double expected, double magnitude) {
  ASSERT_NEAR(static_cast<double>(actual), expected, 5e-7 * magnitude + 1e-30);
}

TEST(NormLoopsTest, Normalize) {
  ForEachRow([](int64_t n, Row& row) {
    loops::Normalize(n, kCenter, kScale, row.x.data() + 1, row.weight_or_null, row.bias_or_null, row.out.data());
    for (int64_t i = 0; i < n; ++i) {
      const double normal = (row.X(i) - double{kCenter}) * double{kScale} * row.Weight(i);
      ExpectNear(row.out[i], normal + row.Bias(i), std::fabs(normal) + std::fabs(row.Bias(i)));
    }
  });
}

TEST(NormLoopsTest, NormGrad) {
  ForEachRow([](int64_t n, Row& row) {
    loops::NormGrad(n, kCenter, kScale, kMeanG, kMeanGn, row.x.data() + 1, row.weight_or_null, row.dy.data() + 1,
                    row.out.data());
    for (int64_t i = 0; i < n; ++i) {
      const double g = row.Dy(i) * row.Weight(i), normal = (row.X(i) - double{kCenter}) * double{kScale};
      ExpectNear(row.out[i], double{kScale} * (g - double{kMeanG} - normal * double{kMeanGn}),
                 double{kScale} * (std::fabs(g) + 1 + std::fabs(normal)));
    }
  });
}

TEST(NormLoopsTest, DotAndProduct) {
  ForEachRow([](int64_t n, Row& row) {
    double dot = 0, magnitude = 0;
    loops::NormalizedProduct(n, kCenter, kScale, row.x.data() + 1, row.dy.data() + 1, row.out.data());
    for (int64_t i = 0; i < n; ++i) {
      const double centered = row.X(i) - double{kCenter}, term = row.Dy(i) * row.Weight(i) * centered;
      dot += term;
      magnitude += std::fabs(term);
      ExpectNear(row.out[i], row.Dy(i) * centered * double{kScale}, std::fabs(row.Dy(i) * centered * double{kScale}));
    }
    ASSERT_NEAR(loops::DotOfNormGrad(n, double{kCenter}, row.x.data() + 1, row.weight_or_null, row.dy.data() + 1), dot,
                1e-14 * magnitude);
  });
}

TEST(NormLoopsTest, SameBitsForEveryInstructionSetAndNumberOfThreads) {
  struct Shape2 {
    int64_t rows, cols;
  };
  for (const auto& [rows, cols] : {Shape2{3001, 13}, Shape2{37, 1030}, Shape2{1, 1}, Shape2{600, 100}}) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    const auto x = AwkwardFloats(rows * cols, {.seed = 5}, false), dy = AwkwardFloats(rows * cols, {.seed = 6}, false);
    const auto weight = AwkwardFloats(cols, {.seed = 7}, false), bias = AwkwardFloats(cols, {.seed = 8}, false);
    std::vector<float> expected;
    test::ForEachIsa([&, rows = rows, cols = cols](Isa) {
      for (const int threads : {1, 2, 3}) {
        const test::ScopedNumThreads scope(threads);
        std::vector<float> y(x.size()), dx(x.size()), rms_y(x.size()), rms_dx(x.size());
        std::vector<float> dweight(weight.size()), dbias(weight.size()), rms_dweight(weight.size());
        std::vector<float> mean(static_cast<size_t>(rows)), scale(mean.size()), rms(mean.size());
        LayerNorm(rows, cols, 1e-5, x.data(), weight.data(), bias.data(), y.data(), mean.data(), scale.data());
        LayerNormGrad(rows, cols, x.data(), weight.data(), mean.data(), scale.data(), dy.data(), dx.data(),
                      dweight.data(), dbias.data());
        RmsNorm(rows, cols, 1e-5, x.data(), weight.data(), rms_y.data(), rms.data());
        RmsNormGrad(rows, cols, x.data(), weight.data(), rms.data(), dy.data(), rms_dx.data(), rms_dweight.data());
        std::vector<float> all;
        for (const auto* part : {&y, &dx, &dweight, &dbias, &mean, &scale, &rms_y, &rms_dx, &rms_dweight, &rms}) {
          all.insert(all.end(), part->begin(), part->end());
        }
        if (expected.empty()) expected = all;
        ASSERT_EQ(all, expected) << threads << " threads";
      }
    });
  }
}

}  // namespace
}  // namespace twofour::kernels
