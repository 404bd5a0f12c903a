#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/tensor.h"

namespace twofour::train {

/// The evaluation with the lowest loss, whether or not its step was saved, and how long ago it was.
struct BestEvaluation {
  int64_t step = 0;  ///< 0: there was no evaluation.
  double loss = 0;
  int64_t evaluations_since = 0;  ///< Those after it, none of which had a lower loss.
  bool operator==(const BestEvaluation&) const = default;
};

/// Where training stands, besides the tensors.
struct TrainerState {
  int64_t step = 0;  ///< Finished optimizer steps.
  /// The best evaluation among those whose step was saved; best_step 0: there is none.
  int64_t best_step = 0;
  double best_loss = 0;
  BestEvaluation best_evaluation = {};  ///< Among all of them.
  /// Among those that the schedule has. A run that ended earlier, and was made longer then, has others besides:
  /// patience does not go by them, or the run would stop where one in one piece goes on.
  BestEvaluation best_scheduled = {};
  /// The evaluation that is due after `step` failed: a run that goes on begins with it.
  bool evaluation_pending = false;
};

/// All that a run needs to go on as if it had never stopped.
struct CheckpointData {
  std::vector<NamedTensor> model;
  std::vector<NamedTensor> optimizer;
  TrainerState state;
};

/// The checkpoints of one run: DIR/step-N/, each with model.safetensors, optimizer.safetensors and trainer.json, and
/// the links DIR/last and DIR/best: files with the name of a checkpoint where the file system has no links.
///
/// A checkpoint is written under a temporary name, synced and then renamed: a reader never sees half of one, and a
/// failure leaves the previous ones whole. One that is no longer kept is renamed before it is removed; where the file
/// system does not rename folders (an overlay's lower layers), its state file is, and without that what is left of it
/// is no checkpoint. Each tensor carries a CRC-32, so that a damaged file is found out.
class CheckpointStore {
 public:
  /// Files of each checkpoint.
  static constexpr const char* kModelFile = "model.safetensors";
  static constexpr const char* kOptimizerFile = "optimizer.safetensors";
  static constexpr const char* kStateFile = "trainer.json";

  /// Keeps the newest `keep` checkpoints (at least 1), and the best one. Touches nothing yet.
  CheckpointStore(FileSystem& files, std::filesystem::path directory, int64_t keep);

  /// From now on the checkpoints lie in another folder.
  void MoveTo(std::filesystem::path directory) { directory_ = std::move(directory); }

  /// Writes a checkpoint of data.state.step and makes it the last one (and the best one, where best_step says so),
  /// then removes those no longer kept. One of the same step is replaced. Throws Error (a runtime failure); what was
  /// there before then still is.
  void Save(const CheckpointData& data);

  /// Makes the folder that of a run that stands at `state`: removes later checkpoints, which the run will write anew,
  /// and what a killed process left unfinished, and points the links `last` and `best` where they belong.
  void PrepareToResume(const TrainerState& state);

  /// The newest checkpoint's folder, if there is one.
  std::optional<std::filesystem::path> Newest() const;
  /// The folder of the checkpoint of this step, if there is one.
  std::optional<std::filesystem::path> Find(int64_t step) const;

  /// The checkpoint that the file `path` names, which stands for a link where the file system has none.
  static std::optional<std::filesystem::path> FollowNamingFile(FileSystem& files, const std::filesystem::path& path);

  /// The steps of all checkpoints, rising.
  std::vector<int64_t> Steps() const;
  /// Where the checkpoint of a step lies, or would lie.
  std::filesystem::path PathOf(int64_t step) const;

  /// Reads one checkpoint. Throws Error naming the file, and the tensor where there is one, when anything is missing,
  /// truncated or damaged.
  static CheckpointData Load(FileSystem& files, const std::filesystem::path& checkpoint);
  /// Where it stands alone.
  static TrainerState LoadState(FileSystem& files, const std::filesystem::path& checkpoint);
  /// Its model alone.
  static std::vector<NamedTensor> LoadModel(FileSystem& files, const std::filesystem::path& checkpoint);

 private:
  std::filesystem::path TemporaryOf(const std::string& name) const;
  void RemoveOld(int64_t best_step);
  void Remove(int64_t step);
  void RemoveInPlace(const std::filesystem::path& checkpoint);
  void Replace(const std::filesystem::path& checkpoint, const std::filesystem::path& replacement);
  bool IsHalfRemoved(const std::filesystem::path& checkpoint) const;
  void Point(const char* name, int64_t step);

  FileSystem& files_;
  std::filesystem::path directory_;
  int64_t keep_;
};

}  // namespace twofour::train
