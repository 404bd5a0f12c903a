#include "twofour/nn/forward_observer.h"

#include <algorithm>
#include <vector>

#include "twofour/nn/density.h"

namespace twofour::nn {
namespace {

std::vector<ForwardObserver*>& Observers() {
  thread_local std::vector<ForwardObserver*> observers;
  return observers;
}

class TensorInput final : public LinearInput {
 public:
  explicit TensorInput(const Tensor& tensor) : tensor_(tensor) {}
  Tensor Values() const override { return tensor_.To(DType::kF32); }
  double Density() const override { return NonZeroShare(tensor_); }

 private:
  const Tensor& tensor_;
};

}  // namespace

ForwardObserverScope::ForwardObserverScope(ForwardObserver& observer) : observer_(observer) {
  Observers().push_back(&observer);
}

ForwardObserverScope::~ForwardObserverScope() {
  std::vector<ForwardObserver*>& observers = Observers();
  // Removes the latest entry of its observer. So each scope removes one entry, even if scopes end in another order than
  // they began.
  const auto found = std::find(observers.rbegin(), observers.rend(), &observer_);
  if (found != observers.rend()) observers.erase(std::prev(found.base()));
}

bool IsForwardObserved() { return !Observers().empty(); }

void ObserveLinear(const Module& linear, const LinearInput& input) {
  for (ForwardObserver* const observer : Observers()) observer->OnLinear(linear, input);
}

void ObserveLinear(const Module& linear, const Tensor& input) {
  if (IsForwardObserved()) ObserveLinear(linear, TensorInput(input));
}

}  // namespace twofour::nn
