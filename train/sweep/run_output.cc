#include "twofour/train/sweep/run_output.h"

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

namespace twofour::train {
namespace {

/// The whole lines among the last bytes of a file: logs and metrics may be large, and it is their end that matters.
std::vector<std::string> LinesAtTheEnd(const std::filesystem::path& path, std::streamoff max_bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  const std::streamoff begin = std::max<std::streamoff>(size - max_bytes, 0);
  file.seekg(begin);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (begin > 0 && !lines.empty()) lines.erase(lines.begin());  // Most likely torn.
  return lines;
}

}  // namespace

std::vector<std::string> LastLines(const std::filesystem::path& path, size_t count) {
  std::vector<std::string> lines = LinesAtTheEnd(path, 64 << 10);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

std::optional<double> LastEvaluationLoss(const std::filesystem::path& metrics) {
  // After an evaluation come the sparsity metrics of the same step, a line for each layer.
  const std::vector<std::string> lines = LinesAtTheEnd(metrics, 4 << 20);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {  // clang 14 cannot read libstdc++'s views::reverse.
    const nlohmann::json record = nlohmann::json::parse(*line, nullptr, false);
    const auto split = record.find("split");
    if (split == record.end() || *split != "eval") continue;
    const auto loss = record.find("loss");
    if (loss != record.end() && loss->is_number()) return loss->get<double>();
  }
  return std::nullopt;
}

}  // namespace twofour::train
