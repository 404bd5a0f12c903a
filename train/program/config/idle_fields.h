#pragma once

#include "twofour/core/faults.h"

#include "config.pb.h"

namespace twofour::train {

/// Adds a fault for each field of `config` that is set, though it has no effect beside the others: it belongs to an
/// enum's value, a kind of model or another field that this config does not have. A field counts as set if it differs
/// from its default. Leaves out fields that have no effect in `stored` either and have the same value there: a run that
/// an earlier version accepted can go on.
///
/// A switch that is off makes no field idle, so that one word turns a group of fields on and off: where
/// sparsity.enabled is false, the fields of `sparsity` are checked as if it were true. config.proto says which fields
/// are switches.
void CheckIdleFields(const proto::Config& config, const proto::Config& stored, Faults& faults);

}  // namespace twofour::train
