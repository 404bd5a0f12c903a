#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "twofour/nn/one_shot.h"

namespace twofour::nn {

/// Sets the method that NameOf(options) would call by this name: one of its own, which begins with Wanda's scores if it
/// takes any, or a score alone. Returns false on another name.
bool SetMethod(std::string_view name, OneShotOptions& options);
/// The names of all methods, for messages: "sparsegpt, ..., or a score alone: magnitude, ...".
std::string MethodNames();

std::optional<sparse::MaskScore> ScoreNamed(std::string_view name);
/// The names of all scores: "magnitude, ...".
std::string ScoreNames();

std::optional<PruningOrder> OrderNamed(std::string_view name);
/// The order in which a method was published.
PruningOrder UsualOrder(PruningMethod method);

}  // namespace twofour::nn
