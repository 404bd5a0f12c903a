#include "twofour/train/program/cli/run_output.h"

#include <fmt/format.h>

#include <ostream>
#include <utility>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/text.h"
#include "twofour/train/adapter_files.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/cli/branch.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/tensorboard/event_file.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

/// Puts a new run in the place of the run that it replaces, now that it has something to write.
void ReplaceRun(RunFolder& folder, std::ostream& err) {
  const size_t said = folder.notes().size();
  folder.TakePlace();
  PrintNotes({folder.notes().begin() + static_cast<ptrdiff_t>(said), folder.notes().end()}, err);
}

/// Changes the folder of a resumed run before the first record is written. Removes what a kill left unfinished, sets
/// aside or discards what came after the checkpoint (`restored` is the trainer's state there), and writes `run`'s
/// config and data record.
void RewriteFolder(const Run& run, const TrainerState& restored, RunFolder& folder, CheckpointStore& checkpoints,
                   std::ostream& out) {
  FileSystem& files = FileSystem::Default();
  const RunFiles paths{run.folder};
  const int64_t step = run.step();
  folder.RemoveUnfinished();
  // The final weights of the shorter run would be taken for those of the longer one. They are still a result, so they
  // are discarded only with --overwrite.
  if (files.Exists(paths.model())) {
    if (run.line.overwrite) {
      files.RemoveAll(paths.model());
    } else {
      const std::filesystem::path aside = paths.FreeModelOfStep(files, step);
      files.Rename(paths.model(), aside);
      out << fmt::format("{}: what was the final model after step {}\n", aside.string(), step);
    }
  }
  if (run.line.overwrite) {
    for (const std::filesystem::path& later : paths.ModelsSetAsideAfter(files, step)) {
      files.RemoveAll(later);
      out << fmt::format("{}: discarded, like all that came after step {}\n", later.string(), step);
    }
  }
  RemoveAdapterFiles(files, paths);  // They belong to a model that was set aside; its merged weights are in there.
  checkpoints.PrepareToResume(restored);
  // Without a checkpoint, an evaluation before the first step is made again.
  if (TruncateMetrics(paths.metrics(), run.start ? step : -1, run.start && run.start->state.evaluation_pending)) {
    out << fmt::format("{}: skipped the last line, which a kill has torn\n", paths.metrics().string());
  }
  SaveDataRecord(files, paths, run.workload.data_record);
  WriteTextAtomically(files, paths.config(), ToText(run.config));
}

void PrintBeginning(const Run& run, std::ostream& out) {
  if (!run.resume) return;
  const ResumePoint& resume = *run.resume;
  const std::string verb = run.in_place() ? "resuming" : "branching off";
  out << (run.start ? fmt::format("{} after step {} from {}\n", verb, run.step(), resume.path.checkpoint->string())
                    : fmt::format("{}: no checkpoint yet, starting at the first step\n", verb));
  PrintChanges(run, out);
}

}  // namespace

RunFolder MakeRunFolder(const Run& run, MaybeResumed& resumed, std::ostream& err) {
  FileSystem& files = FileSystem::Default();
  if (run.in_place()) {
    RunFolder folder = resumed->Take();
    PrintNotes(folder.notes(), err);
    return folder;
  }
  RunFolder folder =
      RunFolder::Prepare(files, run.folder, ToText(run.config), IfExists(run.line), [&](const RunFiles& paths) {
        SaveDataRecord(files, paths, run.workload.data_record);
        if (run.start) CopyBeginning(files, run.resume->path.folder, *run.start, paths);
      });
  PrintNotes(folder.notes(), err);
  if (!folder.is_waiting()) folder.TakePlace();
  return folder;
}

std::vector<std::string> ChangesOf(const Run& run) {
  if (!run.resume) return {};
  const proto::Config& stored = run.resume->stored;
  proto::Config config = run.config;
  if (!run.in_place()) *config.mutable_branched_from() = stored.branched_from();
  if (!stored.has_branched_from()) config.clear_branched_from();
  return Differences(stored, config);
}

void PrintChanges(const Run& run, std::ostream& out) {
  for (const std::string& change : ChangesOf(run)) out << fmt::format("  from here on {}\n", change);
}

RunOutput::RunOutput(const Run& run, MaybeResumed& resumed, const CommandContext& context)
    : run_(run),
      resumed_(resumed),
      context_(context),
      checkpoints_(FileSystem::Default(), RunFiles{run.folder}.checkpoints(), run.config.checkpoint().keep()),
      progress_(context.out, context.terminal, run.config.training().steps(),
                run.workload.task->units_per_batch() * AccumulateSteps(run.config)) {}

void RunOutput::Serve(TrainerServices& services) {
  services.sink = &sinks_;
  services.checkpoints = &checkpoints_;
  if (WritesLate()) services.before_writing = [this] { BeforeWriting(); };
}

void RunOutput::Begin(const TrainerState& restored) {
  restored_ = restored;
  folder_.emplace(MakeRunFolder(run_, resumed_, context_.err));
  checkpoints_.MoveTo(folder_->paths().checkpoints());
  PrintBeginning(run_, context_.out);
  if (!WritesLate()) OpenSinks();
}

bool RunOutput::HasWritten() const { return !folder_->is_waiting() && (!run_.in_place() || writes_); }

void RunOutput::BeforeWriting() {
  writes_ = true;
  if (run_.in_place()) RewriteFolder(run_, restored_, *folder_, checkpoints_, context_.out);
  if (folder_->is_waiting()) ReplaceRun(*folder_, context_.err);
  checkpoints_.MoveTo(folder_->paths().checkpoints());
  OpenSinks();
}

void RunOutput::OpenSinks() {
  FileSystem& files = FileSystem::Default();
  const RunFiles paths{run_.folder};
  sinks_.Add(&metrics_.emplace(files, paths.metrics()));
  // Without a checkpoint the run begins anew, and its config holds for all of it.
  if (const auto changes = ChangesOf(run_); run_.start && !changes.empty()) metrics_->OnResumed(run_.step(), changes);
  if (run_.config.logging().tensorboard()) {
    sinks_.Add(&tensorboard_.emplace(files, NextEventFile(files, paths.event_files()), run_.step() + 1));
  }
  sinks_.Add(&progress_);
}

}  // namespace twofour::train
