#pragma once

#include <array>

namespace twofour::train {

/// The commands that have a name. Without one, the program trains.
inline constexpr std::array kCommandNames = {"evaluate", "export", "import",        "inspect", "predict", "report",
                                             "retrain",  "sample", "suggest-decay", "sweep",   "tokenize"};

}  // namespace twofour::train
