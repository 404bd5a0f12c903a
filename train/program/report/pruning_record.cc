#include "twofour/train/program/report/pruning_record.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/json_fields.h"

namespace twofour::train {
namespace {

constexpr int kMaxDepth = 8;

JsonChecks BoundsOfPruningRecord(const std::string& source) {
  return {.on_begin = [source](int depth, bool) {
    if (depth > kMaxDepth) throw Error(fmt::format("{}: nested too deeply", source));
  }};
}

void ReadLosses(const JsonDocument& document, const JsonFields& fields, PruningRecord& record) {
  const auto read = [&](const char* key) -> std::optional<double> {
    const std::optional<JsonValue> value = document.root().Find(key);
    // JSON has null for what is not finite.
    return value && !value->is_null() ? std::optional(fields.Number(key)) : std::nullopt;
  };
  record.loss_before = read("loss_before");
  record.loss_after = read("loss_after");
}

}  // namespace

PruningRecord ParsePruningRecord(const std::string& text, const std::string& source) {
  const JsonDocument document = JsonDocument::Parse(text, source, BoundsOfPruningRecord(source));
  const JsonFields fields(document.root(), source);
  const double sparsity = fields.Number("sparsity");
  if (!(sparsity >= 0 && sparsity <= 1)) fields.Fail(fmt::format("sparsity: {}, expected 0 to 1", sparsity));
  PruningRecord record{.method = fields.Text("method"), .pattern = fields.Text("pattern"), .sparsity = sparsity};
  ReadLosses(document, fields, record);
  return record;
}

PruningRecord ParseShrinkRecord(const std::string& text, const std::string& source) {
  const JsonDocument document = JsonDocument::Parse(text, source, BoundsOfPruningRecord(source));
  const JsonFields fields(document.root(), source);
  PruningRecord record{.method = "shrink by " + fields.Text("importance"),
                       .pattern = fmt::format("{} of {} parameters", fields.Count("parameters_after"),
                                              fields.Count("parameters_before"))};
  ReadLosses(document, fields, record);
  return record;
}

PruningRecord ParseQuantizationRecord(const std::string& text, const std::string& source) {
  const JsonDocument document = JsonDocument::Parse(text, source, BoundsOfPruningRecord(source));
  const JsonFields fields(document.root(), source);
  PruningRecord record{
      .method = fmt::format("weights {}, inputs {}", fields.Text("weights"), fields.Text("activations")),
      .pattern = fmt::format("{} of {} bytes", fields.Count("bytes_after"), fields.Count("bytes_before"))};
  ReadLosses(document, fields, record);
  return record;
}

}  // namespace twofour::train
