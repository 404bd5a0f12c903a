#pragma once

#include "twofour/core/faults.h"

#include "config.pb.h"

namespace twofour::train {

/// Adds a fault for each field of `config` that is set, though it has no effect beside the others: it belongs to an
/// enum's value, a kind of model or another field that this config does not have. A field counts as set if it differs
/// from its default. Leaves out fields that have no effect in `stored` either and have the same value there: a run that
/// an earlier version accepted can go on.
///
/// Fields behind a switch are not such fields, so that one word turns them all on or off: those of `sparsity` where
/// enabled is false, for example. config.proto says of which fields that is true.
void CheckIdleFields(const proto::Config& config, const proto::Config& stored, Faults& faults);

}  // namespace twofour::train
