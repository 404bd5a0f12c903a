#pragma once

#include <span>
#include <string_view>

namespace twofour::train {

/// A pattern that stands for others of its kind, and what NVIDIA's GPUs do with weights of that kind.
struct CataloguePattern {
  std::string_view text;  ///< As sparse::ParsePruningPattern reads it.
  std::string_view gpu;   ///< In a few words.
  std::string_view note;  ///< What those words rest on, with its source.
};

std::span<const CataloguePattern> PatternCatalogue();

}  // namespace twofour::train
