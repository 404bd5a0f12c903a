// Compares core ops with what PyTorch computes: tests/fixtures/README.md.
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/ops.h"

#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectClose;
using test::Fixture;

/// A tensor of the fixture as a leaf that requires a gradient.
Tensor LeafOf(const Fixture& fixture, const std::string& name) {
  Tensor leaf = fixture.Get(name);
  leaf.set_requires_grad();
  return leaf;
}

TEST(PyTorchFixturesTest, Linear) {
  const Fixture fixture("linear");
  const Tensor x = LeafOf(fixture, "x"), weight = LeafOf(fixture, "weight"), bias = LeafOf(fixture, "bias");
  const Tensor y = Linear(x, weight, bias);
  ExpectClose(y, fixture.Get("y"));
  y.Backward(fixture.Get("dy"));
  ExpectClose(x.grad(), fixture.Get("dx"));
  ExpectClose(weight.grad(), fixture.Get("dweight"));
  ExpectClose(bias.grad(), fixture.Get("dbias"));
}

TEST(PyTorchFixturesTest, CrossEntropyLoss) {
  const Fixture fixture("cross_entropy");
  const Tensor logits = LeafOf(fixture, "logits");
  const auto ignore_index = static_cast<int32_t>(fixture.Number("ignore_index"));
  const Tensor loss = CrossEntropyLoss(logits, fixture.Get("targets"), ignore_index);
  ExpectClose(loss, fixture.Get("loss"));
  loss.Backward();
  ExpectClose(logits.grad(), fixture.Get("dlogits"));
}

TEST(PyTorchFixturesTest, LayerNorm) {
  const Fixture fixture("layer_norm");
  const Tensor x = LeafOf(fixture, "x"), weight = LeafOf(fixture, "weight"), bias = LeafOf(fixture, "bias");
  const Tensor y = LayerNorm(x, weight, bias, fixture.Number("eps"));
  ExpectClose(y, fixture.Get("y"));
  y.Backward(fixture.Get("upstream"));
  ExpectClose(x.grad(), fixture.Get("dx"));
  ExpectClose(weight.grad(), fixture.Get("dweight"));
  ExpectClose(bias.grad(), fixture.Get("dbias"));
}

void ExpectUnary(const std::string& name, Tensor (*op)(const Tensor&)) {
  const Fixture fixture("ops");
  const Tensor x = LeafOf(fixture, "x");
  const Tensor y = op(x);
  ExpectClose(y, fixture.Get(name + ".y"));
  y.Backward(fixture.Get("upstream"));
  ExpectClose(x.grad(), fixture.Get(name + ".dx"));
}

TEST(PyTorchFixturesTest, Gelu) { ExpectUnary("gelu", Gelu); }
TEST(PyTorchFixturesTest, Softmax) { ExpectUnary("softmax", Softmax); }
TEST(PyTorchFixturesTest, LogSoftmax) { ExpectUnary("log_softmax", LogSoftmax); }

}  // namespace
}  // namespace twofour
