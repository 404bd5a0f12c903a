#pragma once

// All differentiable operations, twofour::Relu for one. They are in the inline namespace twofour::ops, so that a module
// of the same name can call its op: nn::RmsNorm calls ops::RmsNorm. Each is pure: it reads its inputs, returns a new
// tensor and records its backward function (see autograd.h). Modules own parameters; ops do not.
#include "twofour/core/ops/activation.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/attention.h"
#include "twofour/core/ops/broadcast.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/convolution.h"
#include "twofour/core/ops/dropout.h"
#include "twofour/core/ops/embedding.h"
#include "twofour/core/ops/exp_log.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/linear_cross_entropy.h"
#include "twofour/core/ops/loss.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/core/ops/norm.h"
#include "twofour/core/ops/operators.h"
#include "twofour/core/ops/reduction.h"
#include "twofour/core/ops/rotary.h"
#include "twofour/core/ops/softmax.h"
#include "twofour/core/ops/windows.h"
