#include "twofour/nn/forward_observer.h"

#include <algorithm>
#include <vector>

#include "twofour/nn/density.h"

namespace twofour::nn {
namespace {

/// A thread's observers. Those that are called may add and remove observers meanwhile, so a removed one leaves a null
/// in its place until nobody is called any more.
class Observers {
 public:
  static Observers& OfThisThread() {
    thread_local Observers observers;
    return observers;
  }

  bool empty() const {
    return std::ranges::all_of(list_, [](const auto* observer) { return observer == nullptr; });
  }

  void Add(ForwardObserver& observer) { list_.push_back(&observer); }

  void Remove(ForwardObserver& observer) {
    // Removes the latest entry of its observer. So each scope removes one entry, even if scopes end in another order
    // than they began.
    const auto found = std::find(list_.rbegin(), list_.rend(), &observer);
    if (found != list_.rend()) *found = nullptr;
    DropRemoved();
  }

  /// Calls those that are there now and are not removed before their turn.
  template <typename Report>
  void Call(const Report& report) {
    const Calling calling(*this);
    const size_t count = list_.size();
    for (size_t i = 0; i < count; ++i) {
      if (list_[i] != nullptr) report(*list_[i]);
    }
  }

 private:
  class Calling {
   public:
    explicit Calling(Observers& observers) : observers_(observers) { ++observers_.calls_; }
    ~Calling() {
      --observers_.calls_;
      observers_.DropRemoved();
    }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;

   private:
    Observers& observers_;
  };

  void DropRemoved() {
    if (calls_ == 0) std::erase(list_, nullptr);
  }

  std::vector<ForwardObserver*> list_;
  int calls_ = 0;  // Calls under way: an observer may run a forward pass itself.
};

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
  Observers::OfThisThread().Add(observer);
}

ForwardObserverScope::~ForwardObserverScope() { Observers::OfThisThread().Remove(observer_); }

bool IsForwardObserved() { return !Observers::OfThisThread().empty(); }

void ObserveLinear(const Module& linear, const LinearInput& input) {
  Observers::OfThisThread().Call([&](ForwardObserver& observer) { observer.OnLinear(linear, input); });
}

void ObserveLinear(const Module& linear, const Tensor& input) {
  if (IsForwardObserved()) ObserveLinear(linear, TensorInput(input));
}

void ObserveBlock(const Module& block, const Tensor& input, const Tensor& output) {
  if (!IsForwardObserved()) return;
  Observers::OfThisThread().Call([&](ForwardObserver& observer) { observer.OnBlock(block, input, output); });
}

}  // namespace twofour::nn
