#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
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
  int64_t evaluations_since = 0;  ///< Later evaluations; none had a lower loss.
  bool operator==(const BestEvaluation&) const = default;
};

/// What a run prunes, as far as losses and masks depend on it: see TrainerOptions.
struct SparsityState {
  std::string id = {};
  int64_t settles_at = 0;    ///< The plan asks for the same from this step on.
  int64_t compare_from = 0;  ///< Evaluations from this step on compare: the run has been of this id since then.
  bool operator==(const SparsityState&) const = default;
};

/// How far training has come, without the tensors.
struct TrainerState {
  int64_t step = 0;  ///< Finished optimizer steps.
  /// The best evaluation whose step was saved. best_step is 0 where there is none.
  int64_t best_step = 0;
  double best_loss = 0;
  BestEvaluation best_evaluation = {};  ///< The best of all evaluations.
  /// The best of the evaluations that the schedule has. A run that ended and was then made longer has one more, at its
  /// first end. Patience ignores that one; otherwise the run would stop where an uninterrupted run goes on.
  BestEvaluation best_scheduled = {};
  /// The evaluation that is due after `step` failed: a run that goes on begins with it.
  bool evaluation_pending = false;
  /// How long these steps took, with hooks and searches for masks, without evaluations, records and checkpoints. A
  /// resumed run goes on counting, and steps that a kill has lost do not count. Nothing if an earlier version saved the
  /// checkpoint.
  std::optional<double> training_seconds = 0.0;
  std::optional<SparsityState> sparsity = {};  ///< Nothing if an earlier version saved the checkpoint.
};

/// All that a run needs to go on as if it had never stopped.
struct CheckpointData {
  std::vector<NamedTensor> model;
  std::vector<NamedTensor> optimizer;
  TrainerState state;
};

/// The checkpoints of one run: DIR/step-N/, each with model.safetensors, optimizer.safetensors and trainer.json, and
/// the links DIR/last and DIR/best. Where the file system has no links, these two are files that hold a checkpoint's
/// name.
///
/// A checkpoint is written under a temporary name, synced and then renamed: a reader never sees half of one, and a
/// failure leaves the previous ones whole. A checkpoint that is no longer kept is renamed before it is removed. Where
/// the file system cannot rename folders (the lower layers of an overlay), its state file is renamed instead, and the
/// folder then no longer counts as a checkpoint. Each tensor carries a CRC-32, which shows whether a file is damaged.
class CheckpointStore {
 public:
  /// Files of each checkpoint.
  static constexpr const char* kModelFile = "model.safetensors";
  static constexpr const char* kOptimizerFile = "optimizer.safetensors";
  static constexpr const char* kStateFile = "trainer.json";

  /// Keeps the newest `keep` checkpoints (at least 1), and the best one. Does not touch the disk yet.
  CheckpointStore(FileSystem& files, std::filesystem::path directory, int64_t keep);

  /// Tells the store that the checkpoints now lie in another folder. Moves no files.
  void MoveTo(std::filesystem::path directory) { directory_ = std::move(directory); }

  /// Writes a checkpoint of data.state.step and makes it the last one (and the best one, where best_step is that step).
  /// Then removes those no longer kept, unless an evaluation is pending. One that is held (see Hold) stays until a
  /// later Save. Replaces a checkpoint of the same step. Throws Error (a runtime failure) when writing fails; the
  /// earlier checkpoints are still there then. If an old one has lost its name but cannot be removed, because another
  /// process reads it, its files stay under a temporary name until PrepareToResume.
  void Save(const CheckpointData& data);

  /// Prepares the folder for a run that continues from `state`: removes later checkpoints, which the run will write
  /// again, removes what a killed process left unfinished, and sets the links `last` and `best`. What has a temporary
  /// name and cannot be removed stays.
  void PrepareToResume(const TrainerState& state);

  /// The newest checkpoint's folder, if there is one.
  std::optional<std::filesystem::path> Newest() const;
  /// The folder of the checkpoint of this step, if there is one.
  std::optional<std::filesystem::path> Find(int64_t step) const;

  /// The checkpoint whose name is in the file `path`, which replaces a link where the file system has none. Nothing
  /// where `path` is no such file.
  static std::optional<std::filesystem::path> FollowNamingFile(FileSystem& files, const std::filesystem::path& path);

  /// The steps of all checkpoints, in ascending order.
  std::vector<int64_t> Steps() const;
  /// Where the checkpoint of a step lies, or would lie.
  std::filesystem::path PathOf(int64_t step) const;

  /// Keeps Save, in any process, from removing a checkpoint as long as `hold` lives, so that somebody else can read it
  /// while the run goes on. Where the file system has no locks, `hold` stays empty. Returns false if the checkpoint is
  /// gone or being removed.
  static bool Hold(FileSystem& files, const std::filesystem::path& checkpoint, std::shared_ptr<FileLock>& hold);

  /// Reads one checkpoint. Throws Error naming the file, and the tensor where there is one, when anything is missing,
  /// truncated or damaged.
  static CheckpointData Load(FileSystem& files, const std::filesystem::path& checkpoint);
  /// Reads the state only.
  static TrainerState LoadState(FileSystem& files, const std::filesystem::path& checkpoint);
  /// Reads the model only.
  static std::vector<NamedTensor> LoadModel(FileSystem& files, const std::filesystem::path& checkpoint);

 private:
  std::filesystem::path TemporaryOf(const std::string& name) const;
  void RemoveOld(int64_t best_step);
  void RemoveUnlessHeld(int64_t step);
  /// Both take the name of a checkpoint from it, then drop the `lock` on its state file, and only then remove anything:
  /// network file systems keep an open file that is removed under another name, so that its folder cannot be removed.
  void Remove(int64_t step, std::unique_ptr<FileLock> lock = nullptr);
  void RemoveInPlace(const std::filesystem::path& checkpoint, std::unique_ptr<FileLock> lock = nullptr);
  void Replace(const std::filesystem::path& checkpoint, const std::filesystem::path& replacement);
  static bool IsHalfRemoved(FileSystem& files, const std::filesystem::path& checkpoint);
  static bool IsThere(FileSystem& files, const std::filesystem::path& checkpoint);
  void Point(const char* name, int64_t step);

  FileSystem& files_;
  std::filesystem::path directory_;
  int64_t keep_;
};

}  // namespace twofour::train
