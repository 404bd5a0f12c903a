#include "twofour/core/leaf_gradients.h"

#include <utility>

namespace twofour::autograd {
namespace {

thread_local const LeafGradientScope::OnComplete* current = nullptr;

}  // namespace

LeafGradientScope::LeafGradientScope(OnComplete on_complete)
    : on_complete_(std::move(on_complete)), previous_(std::exchange(current, &on_complete_)) {}

LeafGradientScope::~LeafGradientScope() { current = previous_; }

const LeafGradientScope::OnComplete* LeafGradientScope::Current() { return current; }

}  // namespace twofour::autograd
