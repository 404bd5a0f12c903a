#include "twofour/train/checkpoint.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/replace_directory.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/train/skipped_tensors.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kTemporaryPrefix = ".tmp-";
constexpr std::string_view kChecksumPrefix = "crc32:";
constexpr uint64_t kMaxStateBytes = 1 << 16;
constexpr const char* kBestEvaluation = "best_evaluation";
constexpr const char* kBestScheduled = "best_scheduled";
constexpr const char* kSparsity = "sparsity";
constexpr const char* kTrainingSeconds = "training_seconds";
constexpr uint64_t kMaxNameBytes = 64;
/// The state file's name while the rest of its checkpoint is removed: see RemoveInPlace.
constexpr const char* kRemoved = ".tmp-removed";

std::string Checksum(const Tensor& tensor) {
  const size_t bytes = static_cast<size_t>(tensor.numel()) * SizeOf(tensor.dtype());
  const auto* data = reinterpret_cast<const Bytef*>(tensor.raw());
  return fmt::format("{:08x}", bytes == 0 ? 0 : crc32_z(0, data, bytes));
}

void SaveChecked(FileSystem& files, const fs::path& path, const std::vector<NamedTensor>& tensors) {
  std::map<std::string, std::string> metadata;
  for (const NamedTensor& named : tensors) {
    metadata[std::string(kChecksumPrefix) + named.name] = Checksum(named.tensor);
  }
  SaveSafetensors(files, path, tensors, metadata);
}

std::vector<NamedTensor> LoadChecked(FileSystem& files, const fs::path& path) {
  SafetensorsFile file = LoadSafetensors(files, path);
  SkipForeignTypes(file);
  if (!file.skipped.empty()) {
    throw Error(fmt::format("{}: tensor '{}': {}, expected F32, F64, I32 or BOOL, which are all that twofour writes",
                            path.string(), file.skipped[0].name, Describe(file.skipped[0])));
  }
  for (const NamedTensor& named : file.tensors) {
    const auto checksum = file.metadata.find(std::string(kChecksumPrefix) + named.name);
    if (checksum == file.metadata.end()) {
      throw Error(fmt::format("{}: tensor '{}': no checksum in the header", path.string(), named.name));
    }
    const std::string found = Checksum(named.tensor);
    if (found != checksum->second) {
      throw Error(fmt::format("{}: tensor '{}': damaged: its CRC-32 is {}, the header says {}", path.string(),
                              named.name, found, checksum->second));
    }
  }
  return std::move(file.tensors);
}

std::optional<int64_t> CountAt(const JsonValue& json, std::string_view key) {
  const std::optional<JsonValue> found = json.Find(key);
  if (!found || !found->is_integer() || found->integer() < 0) return std::nullopt;
  return found->integer();
}

std::optional<double> NumberAt(const JsonValue& json, std::string_view key) {
  const std::optional<JsonValue> found = json.Find(key);
  if (!found || !found->is_number()) return std::nullopt;
  return found->number();
}

BestEvaluation ParseBestEvaluation(const JsonValue& best, std::string_view key, const fs::path& path) {
  const std::optional<int64_t> step = CountAt(best, "step"), since = CountAt(best, "evaluations_since");
  const std::optional<double> loss = NumberAt(best, "loss");
  if (!step || !loss || !since) {
    throw Error(fmt::format("{}: damaged: expected {} to be an object with step, loss and evaluations_since",
                            path.string(), key));
  }
  return {*step, *loss, *since};
}

/// An older checkpoint records only the best step that was saved. Counting then begins at 0.
BestEvaluation LoadBestEvaluation(const JsonValue& state, const BestEvaluation& saved, const fs::path& path) {
  const std::optional<JsonValue> best = state.Find(kBestEvaluation);
  return best ? ParseBestEvaluation(*best, kBestEvaluation, path) : saved;
}

/// The file has it only where it differs from the best of all evaluations.
BestEvaluation LoadBestScheduled(const JsonValue& state, const BestEvaluation& best, const fs::path& path) {
  const std::optional<JsonValue> scheduled = state.Find(kBestScheduled);
  return scheduled ? ParseBestEvaluation(*scheduled, kBestScheduled, path) : best;
}

/// A checkpoint of an earlier version does not have them.
std::optional<double> LoadTrainingSeconds(const JsonValue& state, const fs::path& path) {
  if (!state.Find(kTrainingSeconds)) return std::nullopt;
  const std::optional<double> seconds = NumberAt(state, kTrainingSeconds);
  if (!seconds) throw Error(fmt::format("{}: damaged: expected {} to be a number", path.string(), kTrainingSeconds));
  return seconds;
}

/// A checkpoint of an earlier version does not have it.
std::optional<SparsityState> LoadSparsity(const JsonValue& state, const fs::path& path) {
  const std::optional<JsonValue> found = state.Find(kSparsity);
  if (!found) return std::nullopt;
  const std::optional<JsonValue> id = found->is_object() ? found->Find("id") : std::nullopt;
  const std::optional<int64_t> settles_at = found->is_object() ? CountAt(*found, "settles_at") : std::nullopt;
  const std::optional<int64_t> compare_from = found->is_object() ? CountAt(*found, "compare_from") : std::nullopt;
  if (!id || !id->is_string() || !settles_at || !compare_from) {
    throw Error(fmt::format("{}: damaged: expected {} to be an object with id, settles_at and compare_from",
                            path.string(), kSparsity));
  }
  return SparsityState{id->string(), *settles_at, *compare_from};
}

JsonObject ToJson(const BestEvaluation& best) {
  return JsonObject().Set("step", best.step).Set("loss", best.loss).Set("evaluations_since", best.evaluations_since);
}

TrainerState ReadState(FileSystem& files, const fs::path& path) {
  const auto damaged = [&path] {
    return Error(fmt::format("{}: damaged: expected an object with step, best_step and best_loss", path.string()));
  };
  const std::optional<JsonDocument> document = JsonDocument::TryParse(ReadOwnText(files, path, kMaxStateBytes));
  if (!document) throw damaged();
  const JsonValue json = document->root();
  const std::optional<int64_t> step = CountAt(json, "step"), best_step = CountAt(json, "best_step");
  const std::optional<double> best_loss = NumberAt(json, "best_loss");
  if (!step || !best_step || !best_loss) throw damaged();
  const BestEvaluation best = LoadBestEvaluation(json, {*best_step, *best_loss, 0}, path);
  const std::optional<JsonValue> pending = json.Find("evaluation_pending");
  return {*step,
          *best_step,
          *best_loss,
          best,
          LoadBestScheduled(json, best, path),
          pending && pending->is_boolean() && pending->boolean(),
          LoadTrainingSeconds(json, path),
          LoadSparsity(json, path)};
}

std::string StateText(const TrainerState& state) {
  JsonObject json;
  json.Set("step", state.step).Set("best_step", state.best_step).Set("best_loss", state.best_loss);
  json.Set(kBestEvaluation, ToJson(state.best_evaluation));
  if (state.best_scheduled != state.best_evaluation) json.Set(kBestScheduled, ToJson(state.best_scheduled));
  if (state.evaluation_pending) json.Set("evaluation_pending", true);
  if (state.training_seconds) json.Set(kTrainingSeconds, *state.training_seconds);
  if (const auto& sparsity = state.sparsity) {
    json.Set(kSparsity, JsonObject()
                            .Set("id", sparsity->id)
                            .Set("settles_at", sparsity->settles_at)
                            .Set("compare_from", sparsity->compare_from));
  }
  return json.ToText() + "\n";
}

std::optional<int64_t> StepOf(std::string_view name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  name.remove_prefix(kStepPrefix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

std::string NameOf(int64_t step) { return fmt::format("{}{}", kStepPrefix, step); }

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& files, fs::path directory, int64_t keep)
    : files_(files), directory_(std::move(directory)), keep_(std::max<int64_t>(keep, 1)) {}

std::vector<int64_t> CheckpointStore::Steps() const {
  std::vector<int64_t> steps;
  if (!files_.Exists(directory_)) return steps;
  for (const std::string& name : files_.ListDirectory(directory_)) {
    if (const auto step = StepOf(name); step && !IsHalfRemoved(files_, directory_ / name)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<fs::path> CheckpointStore::Newest() const {
  const std::vector<int64_t> steps = Steps();
  if (steps.empty()) return std::nullopt;
  return PathOf(steps.back());
}

std::optional<fs::path> CheckpointStore::Find(int64_t step) const {
  const fs::path path = PathOf(step);
  return IsThere(files_, path) ? std::optional(path) : std::nullopt;
}

fs::path CheckpointStore::PathOf(int64_t step) const { return directory_ / NameOf(step); }

void CheckpointStore::Save(const CheckpointData& data) {
  const std::string name = NameOf(data.state.step);
  const fs::path temporary = TemporaryOf(name);
  const fs::path target = directory_ / name;
  files_.RemoveAll(temporary);  // Left over from a run that was killed here.
  try {
    files_.CreateDirectories(temporary);
    SaveChecked(files_, temporary / kModelFile, data.model);
    SaveChecked(files_, temporary / kOptimizerFile, data.optimizer);
    WriteText(files_, temporary / kStateFile, StateText(data.state));
    files_.SyncDirectory(temporary);
    if (files_.Exists(target)) {
      Replace(target, temporary);
    } else {
      files_.Rename(temporary, target);
    }
  } catch (...) {
    RemoveAfterFailure(files_, temporary);  // The next Save clears what is left.
    throw;
  }
  Point("last", data.state.step);
  if (data.state.best_step == data.state.step) Point("best", data.state.step);
  // The pending evaluation may fail again, so older checkpoints are kept until it succeeds.
  if (!data.state.evaluation_pending) RemoveOld(data.state.best_step);
}

fs::path CheckpointStore::TemporaryOf(const std::string& name) const {
  return directory_ / (std::string(kTemporaryPrefix) + name);
}

void CheckpointStore::RemoveOld(int64_t best_step) {
  const std::vector<int64_t> steps = Steps();
  const int64_t count = static_cast<int64_t>(steps.size());
  for (int64_t i = 0; i < count - keep_; ++i) {
    if (steps[i] != best_step) RemoveUnlessHeld(steps[i]);
  }
}

void CheckpointStore::RemoveUnlessHeld(int64_t step) {
  LockAttempt attempt;
  try {
    attempt = files_.TryLock(PathOf(step) / kStateFile, LockKind::kExclusive);
  } catch (const Error&) {
    // It cannot be opened for writing. Keeping it for ever would be worse than removing it under a reader.
  }
  if (attempt.result != LockResult::kHeldElsewhere) Remove(step, std::move(attempt.lock));
}

bool CheckpointStore::Hold(FileSystem& files, const fs::path& checkpoint, std::shared_ptr<FileLock>& hold) {
  try {
    LockAttempt attempt = files.TryLock(checkpoint / kStateFile, LockKind::kShared);
    hold = std::move(attempt.lock);
    return attempt.result != LockResult::kHeldElsewhere;
  } catch (const Error&) {
    // If it is there, reading it says what is wrong with it.
    return IsThere(files, checkpoint);
  }
}

void CheckpointStore::Remove(int64_t step, std::unique_ptr<FileLock> lock) {
  // Renamed first, because a kill in the middle must not leave a half-removed folder that looks like a checkpoint.
  const fs::path doomed = TemporaryOf("old-" + NameOf(step));
  files_.RemoveAll(doomed);
  if (!files_.RenameDirectory(PathOf(step), doomed)) return RemoveInPlace(PathOf(step), std::move(lock));
  lock.reset();
  RemoveAfterFailure(files_, doomed);  // A file that somebody reads cannot be removed from a network file system.
}

void CheckpointStore::RemoveInPlace(const fs::path& checkpoint, std::unique_ptr<FileLock> lock) {
  if (fs::is_symlink(checkpoint)) return files_.RemoveAll(checkpoint);  // The link, not what it points to.
  // A kill in the middle leaves a folder that IsHalfRemoved detects.
  if (files_.Exists(checkpoint / kStateFile)) files_.Rename(checkpoint / kStateFile, checkpoint / kRemoved);
  lock.reset();
  for (const std::string& name : files_.ListDirectory(checkpoint)) {
    if (name != kRemoved) files_.RemoveAll(checkpoint / name);
  }
  files_.SyncDirectory(checkpoint);
  files_.RemoveAll(checkpoint);
}

bool CheckpointStore::IsHalfRemoved(FileSystem& files, const fs::path& checkpoint) {
  std::error_code ignored;
  if (files.Exists(checkpoint / kStateFile) || !fs::is_directory(checkpoint, ignored)) return false;
  try {
    return files.Exists(checkpoint / kRemoved) || files.ListDirectory(checkpoint).empty();
  } catch (const Error&) {
    if (files.Exists(checkpoint)) throw;
    return true;  // The run's trainer has removed it meanwhile.
  }
}

bool CheckpointStore::IsThere(FileSystem& files, const fs::path& checkpoint) {
  // In this order, because one that is being removed may be gone before the second look.
  return !IsHalfRemoved(files, checkpoint) && files.Exists(checkpoint);
}

/// Puts `replacement` in the place of a checkpoint of the same step.
void CheckpointStore::Replace(const fs::path& checkpoint, const fs::path& replacement) {
  if (IsHalfRemoved(files_, checkpoint)) {
    RemoveInPlace(checkpoint);
    return files_.Rename(replacement, checkpoint);
  }
  if (const auto old = TryReplaceDirectory(files_, replacement, checkpoint)) {
    return RemoveAfterFailure(files_, *old);
  }
  // Replaces file by file, each atomically. A mix of old and new files is a valid checkpoint, too, because both hold
  // the same step of the same run.
  for (const char* name : {kModelFile, kOptimizerFile, kStateFile}) {
    files_.Rename(replacement / name, checkpoint / name);
  }
  files_.RemoveAll(replacement);
}

void CheckpointStore::Point(const char* name, int64_t step) {
  if (files_.ReplaceSymlink(directory_ / name, NameOf(step))) return;
  WriteTextAtomically(files_, directory_ / name, NameOf(step) + "\n");
}

std::optional<fs::path> CheckpointStore::FollowNamingFile(FileSystem& files, const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > kMaxNameBytes) return std::nullopt;
  std::string name = ReadText(files, path, kMaxNameBytes);
  while (name.ends_with('\n')) name.pop_back();
  if (!StepOf(name)) return std::nullopt;
  return path.parent_path() / name;
}

void CheckpointStore::PrepareToResume(const TrainerState& state) {
  if (!files_.Exists(directory_)) return;
  for (const int64_t saved : Steps()) {
    if (saved > state.step) Remove(saved);
  }
  for (const std::string& name : files_.ListDirectory(directory_)) {
    const fs::path path = directory_ / name;
    if (StepOf(name) && IsHalfRemoved(files_, path)) files_.RemoveAll(path);
    // Somebody may still read it: see Remove.
    if (name.starts_with(kTemporaryPrefix) || IsTemporaryName(name)) RemoveAfterFailure(files_, path);
  }
  const auto link = [this](const char* name, int64_t step) {
    files_.RemoveAll(directory_ / name);
    if (files_.Exists(PathOf(step))) Point(name, step);
  };
  link("last", state.step);
  link("best", state.best_step);
}

TrainerState CheckpointStore::LoadState(FileSystem& files, const fs::path& checkpoint) {
  return ReadState(files, checkpoint / kStateFile);
}

std::vector<NamedTensor> CheckpointStore::LoadModel(FileSystem& files, const fs::path& checkpoint) {
  return LoadChecked(files, checkpoint / kModelFile);
}

CheckpointData CheckpointStore::Load(FileSystem& files, const fs::path& checkpoint) {
  CheckpointData data;
  data.state = LoadState(files, checkpoint);
  data.model = LoadModel(files, checkpoint);
  data.optimizer = LoadChecked(files, checkpoint / kOptimizerFile);
  // The three files must be of the same step. Where the folder's name holds a step, it must be that one.
  const auto updates = std::find_if(data.optimizer.begin(), data.optimizer.end(),
                                    [](const NamedTensor& named) { return named.name == "step"; });
  const int64_t expected = StepOf(fs::path(checkpoint).filename().string()).value_or(data.state.step);
  if (data.state.step != expected || updates == data.optimizer.end() || updates->tensor.numel() != 1 ||
      updates->tensor.item() != static_cast<double>(expected)) {
    throw Error(fmt::format("{}: {} says step {}, tensor 'step' of {} says {}, expected {} in both",
                            checkpoint.string(), kStateFile, data.state.step, kOptimizerFile,
                            updates == data.optimizer.end() || updates->tensor.numel() != 1
                                ? std::string("nothing")
                                : fmt::format("{}", updates->tensor.item()),
                            expected));
  }
  return data;
}

}  // namespace twofour::train
