#include "twofour/train/program/cli/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/replace_directory.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/safetensors_shards.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/gpt.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/vocabulary.h"
#include "twofour/train/exchange/adapter.h"
#include "twofour/train/exchange/export_tensors.h"
#include "twofour/train/exchange/hugging_face.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/output_path.h"
#include "twofour/train/program/cli/pattern_argument.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/exchange/onnx_model.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// What --format can be.
struct Format {
  std::string_view name;
  bool masked;
  WeightForm form;
  bool onnx = false;
};
constexpr Format kFormats[] = {{"dense", false, WeightForm::kDense},
                               {"masked", true, WeightForm::kDense},
                               {"packed", true, WeightForm::kPacked},
                               {"sparse24-bitmask", true, WeightForm::kBitmask24},
                               {"semi-structured", true, WeightForm::kSemiStructured},
                               {"onnx", true, WeightForm::kDense, true}};
constexpr std::pair<std::string_view, DType> kDTypeNames[] = {
    {"F32", DType::kF32}, {"F16", DType::kF16}, {"BF16", DType::kBF16}};

struct Request {
  std::optional<std::string> checkpoint = {};
  std::string run, format = "masked", dtype = "F32", pattern, output, names = "own";
  std::string merge_adapter;
  int64_t shard_megabytes = 0;
};

/// The element of `known` of this name. Throws Error that lists the names.
template <typename Known, typename Name>
const auto& Choose(const std::string& option, const std::string& given, const Known& known, const Name& name) {
  const auto found = std::ranges::find(known, given, name);
  if (found != std::end(known)) return *found;
  std::vector<std::string_view> names;
  for (const auto& one : known) names.push_back(std::invoke(name, one));
  throw Error(fmt::format("{} '{}': expected {}", option, given, fmt::join(names, ", ")));
}

/// The pattern of the run's masks along rows.
sparse::MaskFormat PatternOf(const proto::Sparsity& sparsity) {
  if (sparsity.algorithm() == proto::Sparsity::VNM) {
    return sparse::MaskFormat::Vnm(
        {.v = sparsity.vnm().v(), .m = sparsity.vnm().m(), .inner = sparse::VnmInner::kRows});
  }
  if (sparsity.algorithm() == proto::Sparsity::PATTERN) {
    const auto pattern = sparse::ReadPruningPattern(sparsity.pattern());
    if (!pattern || pattern->has_budget()) return sparse::MaskFormat::Rows(2, 4);
    sparse::MaskFormat format = pattern->format;
    // Linears may have n:m of their own, of which the densest holds all.
    for (const proto::LayerPattern& layer : sparsity.layers()) {
      const auto own = sparse::ReadPruningPattern(layer.pattern());
      if (!own || own->format.kind != format.kind || own->format.m != format.m) continue;
      format.n = std::max(format.n, own->format.n);
    }
    return format.is_vnm() ? sparse::MaskFormat::Vnm({.v = format.v, .m = format.m, .inner = sparse::VnmInner::kRows})
                           : sparse::MaskFormat::Rows(format.n, format.m);
  }
  if (sparsity.algorithm() != proto::Sparsity::ROWS) return sparse::MaskFormat::Rows(2, 4);
  return sparse::MaskFormat::Rows(sparsity.rows().keep(), sparsity.rows().of());
}

ExportOptions OptionsOf(const Request& request, const Format& format, const proto::Config& config) {
  ExportOptions options{.masked = format.masked, .form = format.form};
  options.dtype = Choose("--dtype", request.dtype, kDTypeNames, &std::pair<std::string_view, DType>::first).second;
  if (options.form == WeightForm::kSemiStructured && options.dtype == DType::kF32) {
    throw Error(
        "--dtype F32: semi-structured takes F16 or BF16: for 32-bit numbers, the pattern of GPUs is 1:2 and not 2:4");
  }
  if (request.names == "huggingface" && (options.form != WeightForm::kDense || !options.masked)) {
    throw Error(fmt::format(
        "--format {}: transformers reads neither packed weights nor masks beside them, expected masked", format.name));
  }
  if (format.onnx && options.dtype != DType::kF32) {
    throw Error(fmt::format("--dtype {}: onnx takes F32; runtimes round the weights themselves", request.dtype));
  }
  if (format.onnx && (request.names != "own" || request.shard_megabytes > 0)) {
    throw Error("--format onnx: is one file, without --names and --shard-size");
  }
  if (format.onnx && config.sparsity().enabled() && config.sparsity().target() == proto::Sparsity::ACTIVATION) {
    throw Error("--format onnx: the run's model prunes its activations, for which ONNX has no operator");
  }
  options.pattern = PatternOf(config.sparsity());
  if (!request.pattern.empty()) {
    if (options.form != WeightForm::kPacked) throw Error("--pattern: is for --format packed");
    options.pattern = ParseRowPattern(request.pattern);
  }
  if (options.form == WeightForm::kPacked && options.pattern.is_vnm()) options.form = WeightForm::kPackedVnm;
  return options;
}

/// Texts by the names of their files.
using TextFiles = std::map<std::string, std::string>;

void WriteFolder(FileSystem& files, const fs::path& folder, const std::vector<NamedTensor>& tensors,
                 const std::map<std::string, std::string>& metadata, const TextFiles& others, uint64_t max_bytes) {
  const fs::path temporary = TemporaryPathFor(folder);
  files.RemoveAll(temporary);
  try {
    files.CreateDirectories(temporary);
    for (const auto& [name, text] : others) WriteText(files, temporary / name, text);
    SaveShards(files, temporary, tensors, metadata, max_bytes);
    files.SyncDirectory(temporary);
    MoveDirectory(files, temporary, folder);
  } catch (...) {
    RemoveAfterFailure(files, temporary);
    throw;
  }
}

uint64_t BytesOf(const std::vector<NamedTensor>& tensors) {
  uint64_t bytes = 0;
  for (const NamedTensor& named : tensors) {
    bytes += static_cast<uint64_t>(named.tensor.numel()) * SizeOf(named.tensor.dtype());
  }
  return bytes;
}

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("export");
  arguments.Add("--run", request.run, "A run's folder, or one of its checkpoints").Type("DIR").Required();
  std::string checkpoint;
  const Argument given_checkpoint =
      arguments.Add("--checkpoint", checkpoint, "Take this checkpoint of the run: best, last, step-300 or 300")
          .Type("NAME");
  arguments
      .Add("--format", request.format,
           "dense (with masks beside), masked (zeros in place), packed (twofour's own), sparse24-bitmask "
           "(compressed-tensors), semi-structured (PyTorch with CUTLASS), onnx (zeros in place)")
      .Type("FORMAT")
      .ShowDefault();
  arguments.Add("--dtype", request.dtype, "F32, F16 or BF16").Type("DTYPE").ShowDefault();
  arguments.Add("--pattern", request.pattern, "For packed: N:M along rows or V:2:M (default: as in the run)")
      .Type("N:M");
  arguments
      .Add("--names", request.names,
           "own, or huggingface: a folder that transformers loads, if the model is a GPT-2 or a Llama")
      .Type("NAMES")
      .ShowDefault();
  arguments
      .Add("--merge-adapter", request.merge_adapter,
           "Add a LoRA adapter to the weights, a safetensors file beside its adapter_config.json; of a run of "
           "finetune, to those that its adapters began with")
      .Type("FILE");
  arguments
      .Add("--shard-size", request.shard_megabytes,
           "Write a folder, with files of at most so many megabytes and an index of them")
      .Type("MB")
      .Range(int64_t{1}, int64_t{1} << 30);
  arguments.Add("-o,--output", request.output, "The file or folder to write").Type("PATH").Required();
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  if (given_checkpoint.given()) request.checkpoint = checkpoint;
  if (request.names != "own" && request.names != "huggingface") {
    throw Error(fmt::format("--names '{}': expected own, huggingface", request.names));
  }
  return request;
}

}  // namespace

int RunExport(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  FileSystem& files = FileSystem::Default();
  const Format& format = Choose("--format", request->format, kFormats, &Format::name);
  const bool hugging_face = request->names == "huggingface", is_folder = hugging_face || request->shard_megabytes > 0;
  if (request->output == "-") throw Error("--output -: expected a file or folder: weights are not printed");
  if (is_folder) OutputFolder(request->output);  // Before the run is read.
  TrainedRun run = LoadTrainedRun(request->run, request->checkpoint, "--run",
                                  request->merge_adapter.empty() ? RunWeights::kFinal : RunWeights::kAdapterBase);
  if (!request->merge_adapter.empty()) {
    RequireNotQuantized(run.config, "--run " + request->run);
    MergeAdapter(LoadAdapter(files, request->merge_adapter), run.config.sparsity().enabled(), run.tensors);
  }
  const fs::path output =
      is_folder ? OutputFolder(request->output) : OutputFile(request->output, FilesNeededBy(run.config));
  ExportOptions options = OptionsOf(*request, format, run.config);
  DequantizeWeights(run);
  const std::unique_ptr<nn::Model> model = LoadModel(run);
  TextFiles others;
  if (hugging_face) {
    const auto* const gpt = dynamic_cast<const nn::Gpt*>(model.get());
    if (gpt == nullptr) throw Error("--names huggingface: the run's model is no language model");
    const proto::Gpt& config = run.config.model().gpt();
    const HuggingFaceModel theirs{.architecture = ArchitectureOf(gpt->options()),
                                  .options = gpt->options(),
                                  .bos_token = config.bos_token(),
                                  .eos_tokens = {config.eos_tokens().begin(), config.eos_tokens().end()},
                                  .pad_token = config.pad_token()};
    options.names = MatchesOf(theirs);
    others["config.json"] = ToHuggingFaceConfig(theirs, options.dtype);
    const fs::path vocabulary = RunFiles{run.path.folder}.vocabulary();
    if (files.Exists(vocabulary)) {
      const std::string text = ReadText(files, vocabulary, Vocabulary::kMaxJsonBytes);
      const bool is_bpe = Vocabulary::FromJson(text, vocabulary.string()).kind() == Vocabulary::Kind::kBpe;
      if (is_bpe) others["tokenizer.json"] = text;
    }
  }
  const ExportedTensors exported = ExportTensors(*model, options);
  if (exported.vanished > 0) {
    PrintNotes({fmt::format("{} weights are too small for {} and became 0", exported.vanished, request->dtype)},
               context.err);
  }
  std::map<std::string, std::string> metadata;
  if (!format.onnx) metadata["format"] = "pt";
  if (run.step) metadata["step"] = fmt::format("{}", *run.step);
  if (is_folder) {
    constexpr uint64_t kMegabyte = 1'000'000, kUnlimited = uint64_t{1} << 62;
    const uint64_t shard =
        request->shard_megabytes == 0 ? kUnlimited : static_cast<uint64_t>(request->shard_megabytes) * kMegabyte;
    WriteFolder(files, output, exported.tensors, metadata, others, shard);
  } else if (format.onnx) {
    WriteTextAtomically(files, output, ToOnnx(run.config, exported.tensors, metadata));
  } else {
    SaveSafetensors(files, output, exported.tensors, metadata);
  }
  const std::string masks = exported.masked_weights == 0
                                ? "none of them masked"
                                : fmt::format("{} masked weights {}", exported.masked_weights,
                                              options.masked ? NameOf(options.form) : "beside their masks");
  context.out << fmt::format("{}: {} tensors, {} bytes, {}, weights from {}\n", request->output,
                             exported.tensors.size(), BytesOf(exported.tensors), masks, run.source.string());
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
