#include "twofour/train/program/prune/shrink_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

JsonObject ToJson(const nn::KeptParts& parts) {
  const nn::PartSet& set = parts.set;
  std::vector<int64_t> kept;
  for (const int64_t part : parts.kept) {
    for (int64_t i = 0; i < set.unit; ++i) kept.push_back(part * set.unit + i);
  }
  JsonObject json;
  json.Set("name", set.name).Set("kind", NameOf(set.kind)).Set("count", set.count * set.unit).Set("kept", kept);
  return json.Set("group", set.unit).Set("importances", parts.importance);
}

}  // namespace

std::string ToLines(const ShrunkRun& shrunk) {
  size_t width = 0;
  for (const nn::KeptParts& parts : shrunk.report.sets) width = std::max(width, parts.set.name.size());
  std::string text;
  for (const nn::KeptParts& parts : shrunk.report.sets) {
    const auto kept = static_cast<int64_t>(parts.kept.size());
    text += fmt::format("{:<{}}  {} of {} {}\n", parts.set.name, width, kept * parts.set.unit,
                        parts.set.count * parts.set.unit, NameOf(parts.set.kind));
  }
  text += fmt::format("parameters: {}, before {}\n", shrunk.report.parameters_after, shrunk.report.parameters_before);
  if (shrunk.loss_before && shrunk.loss_after) {
    text += fmt::format("loss: {:.4f}, before {:.4f}\n", *shrunk.loss_after, *shrunk.loss_before);
  }
  return text;
}

void SaveShrinkReport(FileSystem& files, const std::filesystem::path& path, const ShrinkRequest& request,
                      const ShrunkRun& shrunk) {
  JsonObject json;
  json.Set("run", request.run).Set("importance", NameOf(request.options.importance));
  json.Set("samples", shrunk.samples).Set("seed", request.seed);
  if (shrunk.loss_before) json.Set("loss_before", *shrunk.loss_before);
  if (shrunk.loss_after) json.Set("loss_after", *shrunk.loss_after);
  json.Set("parameters_before", shrunk.report.parameters_before);
  json.Set("parameters_after", shrunk.report.parameters_after);
  std::vector<JsonObject> sets;
  for (const nn::KeptParts& parts : shrunk.report.sets) sets.push_back(ToJson(parts));
  json.Set("sets", sets);
  WriteText(files, path, json.ToTextReplacing() + "\n");
}

}  // namespace twofour::train
