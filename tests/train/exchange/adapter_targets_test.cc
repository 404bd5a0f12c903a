#include "twofour/train/exchange/adapter_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Names = std::set<std::string>;

const Names kMlps = {"t.h.0.mlp.c_fc", "t.h.0.mlp.c_proj", "t.h.1.mlp.c_fc", "t.h.1.mlp.c_proj"};
const Names kModel = {"lm_head",           "t.h.0.attn.c_proj", "t.h.0.mlp.c_fc",   "t.h.0.mlp.c_proj",
                      "t.h.1.attn.c_proj", "t.h.1.mlp.c_fc",    "t.h.1.mlp.c_proj", "t.wte"};

AdapterTargets Parsed(const std::string& fields) {
  return AdapterTargets::Parse(JsonDocument::Parse("{" + fields + "}", "config").root(), "config");
}

void ExpectFits(const std::string& fields, const Names& adapter) {
  SCOPED_TRACE(fields);
  EXPECT_NO_THROW(Parsed(fields).Require(adapter, kModel, "file"));
}

void ExpectRefused(const std::string& fields, const Names& adapter, const std::string& message) {
  SCOPED_TRACE(fields);
  EXPECT_THAT([&] { Parsed(fields).Require(adapter, kModel, "file"); }, ThrowsMessage<Error>("file: " + message));
}

// What PEFT 0.21 gave factors to when it was asked for this on a model of these linears.
TEST(AdapterTargetsTest, NamesWhatPeftAdapts) {
  ExpectFits(R"("target_modules": ["mlp.c_fc", "mlp.c_proj"])", kMlps);
  ExpectFits(R"("target_modules": ["c_fc"])", {"t.h.0.mlp.c_fc", "t.h.1.mlp.c_fc"});
  ExpectFits(R"("target_modules": ["t.h.0.mlp.c_fc", "lm_head"])", {"t.h.0.mlp.c_fc", "lm_head"});
  ExpectFits(R"("target_modules": ["c_fc", "c_proj"], "exclude_modules": ["attn.c_proj"])", kMlps);
  ExpectFits(R"("target_modules": ["c_fc"], "layers_to_transform": [1])", {"t.h.1.mlp.c_fc"});
  ExpectFits(R"("target_modules": ["c_fc"], "layers_to_transform": 0)", {"t.h.0.mlp.c_fc"});
  ExpectFits(R"("target_modules": ["c_fc"], "layers_to_transform": [0], "layers_pattern": "h")", {"t.h.0.mlp.c_fc"});
  ExpectFits(R"("target_modules": ["c_fc"], "layers_to_transform": [0], "layers_pattern": ["x", "t.h"])",
             {"t.h.0.mlp.c_fc"});
  // A whole name counts in any layer, and what lies in no layer does not.
  ExpectFits(R"("target_modules": ["t.h.1.mlp.c_fc", "c_proj", "wte"], "layers_to_transform": [0])",
             {"t.h.1.mlp.c_fc", "t.h.0.attn.c_proj", "t.h.0.mlp.c_proj"});
}

TEST(AdapterTargetsTest, FactorsThatAreMissing) {
  Names adapter = kMlps;
  adapter.erase("t.h.1.mlp.c_proj");
  const std::string message = "has no factors for 't.h.1.mlp.c_proj', which its config names in target_modules";
  ExpectRefused(R"("target_modules": ["mlp.c_fc", "mlp.c_proj"])", adapter, message);
  ExpectRefused(R"("target_modules": ["t.h.0.mlp.c_proj", "t.h.1.mlp.c_proj", "c_fc"])", adapter, message);
  ExpectRefused(R"("target_modules": ["c_fc", "c_proj"])", kMlps,
                "has no factors for 't.h.0.attn.c_proj', which its config names in target_modules");
}

TEST(AdapterTargetsTest, EntriesWithoutALinear) {
  ExpectRefused(R"("target_modules": ["mlp.c_fc", "mlp.c_proj", "t.h.7.mlp.c_fc"])", kMlps,
                "its config names 't.h.7.mlp.c_fc' in target_modules, but the model has no such linear");
  ExpectRefused(R"("target_modules": ["mlp.c_fc", "mlp.c_proj", "fc"])", kMlps,
                "its config names 'fc' in target_modules, but the model has no such linear");
}

TEST(AdapterTargetsTest, FactorsThatAreNotNamed) {
  const std::string message = "has factors for 't.h.0.mlp.c_fc', which its config does not name in target_modules";
  ExpectRefused(R"("target_modules": ["mlp.c_proj"])", kMlps, message);
  ExpectRefused(R"("target_modules": ["c_fc", "mlp.c_proj"], "exclude_modules": ["c_fc"])", kMlps, message);
  ExpectRefused(R"("target_modules": ["c_fc", "mlp.c_proj"], "layers_to_transform": [1])", kMlps, message);
  ExpectRefused(R"("target_modules": [])", kMlps, message);
}

TEST(AdapterTargetsTest, AnythingGoesWhereNothingIsListed) {
  for (const char* const fields :
       {"", R"("target_modules": null)", R"("target_modules": ".*c_fc")", R"("target_modules": "all-linear")",
        R"("target_modules": ["c_fc"], "exclude_modules": ".*1.*")"}) {
    ExpectFits(fields, {"t.h.0.mlp.c_fc"});
  }
  AdapterTargets().Require({"a"}, {"b"}, "file");
}

TEST(AdapterTargetsTest, OtherTypes) {
  const auto refused = [](const std::string& fields, const std::string& message) {
    SCOPED_TRACE(message);
    EXPECT_THAT([&] { Parsed(fields); }, ThrowsMessage<Error>(HasSubstr("config: " + message)));
  };
  refused(R"("target_modules": [1])", "target_modules: 1, expected names of at most 1024 bytes");
  refused(R"("target_modules": {})", "target_modules: {}, expected names");
  refused(R"("exclude_modules": [")" + std::string(1025, 'a') + "\"]", "exclude_modules: ");
  refused(R"("layers_to_transform": ["a"])", "layers_to_transform has an element that is no integer");
  refused(R"("layers_pattern": 3)", "layers_pattern: 3");
  std::string many = R"("layers_pattern": [)";
  for (int i = 0; i < 17; ++i) many += i == 0 ? "\"h\"" : ", \"h\"";
  refused(many + "]", "layers_pattern: 17 names, expected at most 16");
}

}  // namespace
}  // namespace twofour::train
