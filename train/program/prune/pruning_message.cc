#include "twofour/train/program/prune/pruning_message.h"

#include <string>
#include <vector>

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;

void AddChoice(const nn::OneShotOptions& options, proto::Pruning& record) {
  record.set_pattern(options.pattern.ToString());
  record.set_include(options.include);
  record.set_exclude(options.exclude);
  record.set_multiple_of(options.multiple_of);
}

void AddAllocation(const AllocationRequest& request, proto::Pruning& record) {
  using enum AllocationRequest::Method;
  record.set_allocation(std::string(NameOf(request.method)));
  if (request.target) record.set_target(*request.target);
  if (request.method != kEqual) {
    record.set_min_sparsity(request.min);
    record.set_max_sparsity(request.max);
  }
  if (request.method == kOutliers) record.set_lambda(request.lambda);
  if (request.method == kSensitivity) record.set_sensitivity(request.sensitivity);
}

}  // namespace

proto::Training::Precision PrecisionOf(DType activations) {
  return activations == DType::kBF16 ? proto::Training::BF16 : proto::Training::FP32;
}

proto::Pruning RecordOf(const PruneRequest& request, const nn::OneShotOptions& options, const PrunableRun& run,
                        int64_t samples) {
  proto::Pruning record;
  SetMethodOf(options, record);
  AddChoice(options, record);
  AddAllocation(request.allocation, record);
  // Output errors are of inputs, too.
  const bool takes_inputs = nn::NeedsOf(options).inputs || options.output_errors;
  if (samples > 0 && takes_inputs) record.set_order(std::string(NameOf(options.order)));
  if (samples > 0) record.set_samples(samples);
  if (samples > 0 || TakesSeed(request)) record.set_seed(request.seed);
  if (run.has_data()) {
    record.set_precision(request.activations ? PrecisionOf(*request.activations) : run.config().training().precision());
  }
  return record;
}

void AddTo(JsonObject& json, const google::protobuf::Message& record) {
  const auto* const reflection = record.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(record, &fields);
  for (const FieldDescriptor* const field : fields) {
    const std::string& name = field->name();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        json.Set(name, reflection->GetString(record, field));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        json.Set(name, reflection->GetInt64(record, field));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        json.Set(name, reflection->GetDouble(record, field));
        break;
      default:
        json.Set(name, reflection->GetEnum(record, field)->name());
    }
  }
}

}  // namespace twofour::train
