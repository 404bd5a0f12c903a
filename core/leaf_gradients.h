#pragma once

#include <functional>

#include "twofour/core/tensor.h"

namespace twofour::autograd {

/// While one lives, each Backward() on this thread says of every leaf that it reaches when the leaf's gradient is
/// complete: when no op is left in this graph that adds to it. So a gradient can be sent away while others are still
/// computed. The last scope that was opened is told, and no other.
class LeafGradientScope {
 public:
  /// `on_complete` may take the gradient away from the leaf. What it throws leaves Backward().
  using OnComplete = std::function<void(const Tensor::Impl& leaf)>;

  explicit LeafGradientScope(OnComplete on_complete);
  ~LeafGradientScope();
  LeafGradientScope(const LeafGradientScope&) = delete;
  LeafGradientScope& operator=(const LeafGradientScope&) = delete;

  /// The function of the last scope on this thread; null where there is none.
  static const OnComplete* Current();

 private:
  OnComplete on_complete_;
  const OnComplete* previous_;
};

}  // namespace twofour::autograd
