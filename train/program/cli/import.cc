#include "twofour/train/program/cli/import.h"

#include <fmt/format.h>

#include <ostream>

#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/exchange/imported_run.h"

namespace twofour::train {

int RunImport(int argc, const char* const* argv, const CommandContext& context) {
  ImportRequest request;
  Arguments arguments("import");
  arguments
      .Add(
          "--from", request.from,
          "A safetensors file, an index of shards, or a folder that holds either; a config.json beside it may describe "
          "a GPT-2 or a Llama")
      .Type("PATH")
      .Required();
  arguments.Add("--out", request.out, "The run's folder, to be made").Type("DIR").Required();
  arguments.Add("--config", request.config, "Config file (protobuf text): the model, if no config.json describes it")
      .Type("FILE");
  arguments
      .Add("--map", request.name_map,
           "Which tensor becomes which parameter: rules with regular expressions (protobuf "
           "text)")
      .Type("FILE");
  arguments.AddFlag("--partial", request.partial, "Take what fits: missing tensors stay random, others are left out");
  arguments.Add("--set", request.changes.set, "Set a config field, as in data.text.path=FILE; may repeat")
      .Type("PATH=VALUE")
      .Repeatable();
  bool overwrite = false;
  arguments.AddFlag("--overwrite", overwrite, "Replace an existing run in the folder");
  if (!arguments.Parse(argc, argv, 1, context.out)) return 0;
  if (overwrite) request.if_exists = RunFolder::IfExists::kOverwrite;
  const ImportedRun imported = ImportRun(request);
  PrintNotes(imported.notes, context.err);
  context.out << fmt::format("{}: {}, weights from {}\n", request.out, imported.model, request.from);
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
