#include "twofour/train/program/config/override_list.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/program/config/overrides.h"

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

/// The path of a field, from the config's root.
using FieldChain = std::vector<const FieldDescriptor*>;

/// One thing that an assignment sets: a field that is not a message, or an empty message. For an empty message, `value`
/// only says that it exists.
struct Leaf {
  FieldChain path;
  std::string value;
};

struct Applied {
  std::string path;  // As the user wrote it.
  std::vector<Leaf> leaves;
};

std::string Spelled(const FieldChain& path) {
  std::string text;
  for (const FieldDescriptor* field : path) text += (text.empty() ? "" : ".") + field->name();
  return text;
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated();
}

std::string ValueOf(const Message& message, const FieldDescriptor& field) {
  if (IsMessage(field)) return "there";
  std::string value;
  if (!field.is_repeated()) {
    TextFormat::PrintFieldValueToString(message, &field, -1, &value);
    return value;
  }
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    std::string element;
    TextFormat::PrintFieldValueToString(message, &field, i, &element);
    value += element + ",";
  }
  return value;
}

/// If `field` belongs to a oneof: the other field of it that the message has chosen, or null.
const FieldDescriptor* ChosenInstead(const Message& message, const FieldDescriptor& field) {
  const OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr) return nullptr;
  const FieldDescriptor* chosen = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
  return chosen == &field ? nullptr : chosen;
}

void CollectLeaves(const Message& message, FieldChain& path, std::vector<Leaf>& leaves) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    path.push_back(field);
    const size_t before = leaves.size();
    if (IsMessage(*field)) CollectLeaves(message.GetReflection()->GetMessage(message, field), path, leaves);
    if (leaves.size() == before) leaves.push_back({path, ValueOf(message, *field)});
    path.pop_back();
  }
}

/// Converts a dotted path to descriptors. The path must be valid.
FieldChain Resolve(const std::string& path) {
  FieldChain fields;
  const google::protobuf::Descriptor* type = proto::Config::descriptor();
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    fields.push_back(type->FindFieldByName(path.substr(begin, end - begin)));
    type = fields.back()->message_type();
    begin = end + 1;
  }
  return fields;
}

/// The value that a run would use, which may be the default; nullopt if the field is part of an alternative that is not
/// chosen.
std::optional<std::string> InForce(const Message& root, const FieldChain& path) {
  const Message* message = &root;
  for (const FieldDescriptor* field : path) {
    const Reflection* reflection = message->GetReflection();
    const bool has_to_be_there =
        field->real_containing_oneof() != nullptr || (field == path.back() && IsMessage(*field));
    if (has_to_be_there && !reflection->HasField(*message, field)) return std::nullopt;
    if (field == path.back()) return ValueOf(*message, *field);
    message = &reflection->GetMessage(*message, field);
  }
  return std::nullopt;
}

/// Whether the config has chosen another alternative of a oneof anywhere on the path to a field.
bool IsSwitchedOff(const Message& root, const FieldChain& path) {
  const Message* message = &root;
  for (const FieldDescriptor* field : path) {
    if (ChosenInstead(*message, *field) != nullptr) return true;
    if (!IsMessage(*field)) return false;
    message = &message->GetReflection()->GetMessage(*message, field);
  }
  return false;
}

class List {
 public:
  List(proto::Config& config, const std::vector<std::string>& assignments)
      : config_(config), assignments_(assignments) {}

  OverrideTrace Run() {
    for (size_t i = 0; i < assignments_.size(); ++i) Apply(i);
    for (const Applied& applied : applied_) trace_.holds.push_back(!applied.leaves.empty());
    return std::move(trace_);
  }

 private:
  void Apply(size_t index) {
    const std::string& assignment = assignments_[index];
    proto::Config alone;
    ApplyOverride(alone, assignment);
    Applied applied{assignment.substr(0, assignment.find('=')), {}};
    const FieldChain path = Resolve(applied.path);
    FieldChain from_root;
    CollectLeaves(alone, from_root, applied.leaves);
    // An empty list does not appear among the leaves.
    if (path.back()->is_repeated() && (applied.leaves.empty() || applied.leaves[0].path != path)) {
      applied.leaves = {{path, ""}};
    }
    RequireChosen(path, assignment);
    ApplyOverride(config_, assignment);
    for (size_t i = 0; i < index; ++i) Compare(i, index, applied);
    applied_.push_back(std::move(applied));
  }

  /// Throws Error if a message on the path to the field is an alternative that the config has not chosen.
  void RequireChosen(const FieldChain& path, const std::string& assignment) const {
    const Message* message = &config_;
    FieldChain so_far;
    for (size_t i = 0; i + 1 < path.size(); ++i) {
      if (const FieldDescriptor* chosen = ChosenInstead(*message, *path[i])) {
        FailNotChosen(so_far, *chosen, *path[i], assignment);
      }
      so_far.push_back(path[i]);
      message = &message->GetReflection()->GetMessage(*message, path[i]);
    }
  }

  [[noreturn]] void FailNotChosen(const FieldChain& parent, const FieldDescriptor& chosen,
                                  const FieldDescriptor& wanted, const std::string& assignment) const {
    const std::string prefix = Spelled(parent);
    FieldChain of_chosen = parent;
    of_chosen.push_back(&chosen);
    for (size_t i = 0; i < applied_.size(); ++i) {
      const bool chose_it = std::ranges::any_of(applied_[i].leaves, [&](const Leaf& leaf) {
        return leaf.path.size() >= of_chosen.size() &&
               std::equal(of_chosen.begin(), of_chosen.end(), leaf.path.begin());
      });
      if (!chose_it) continue;
      throw Error(fmt::format("--set {}: would discard --set {}: {} is {} by then, expected fields of one of the two",
                              assignment, assignments_[i], prefix, chosen.name()));
    }
    throw Error(fmt::format(
        "--set {0}: the config has {1}.{2}, expected a field of it; to change over to {3}, which discards {1}.{2}, "
        "give --set {1}.{3}={{}} first",
        assignment, prefix, chosen.name(), wanted.name()));
  }

  /// Records what the latest assignment has undone of an earlier one.
  void Compare(size_t earlier, size_t later, const Applied& latest) {
    Applied& before = applied_[earlier];
    std::erase_if(before.leaves, [&](const Leaf& leaf) {
      if (InForce(config_, leaf.path) == leaf.value) return false;
      const bool names_it =
          before.path == latest.path || std::ranges::find(latest.leaves, leaf.path, &Leaf::path) != latest.leaves.end();
      const UndoneOverride::How how = names_it                            ? UndoneOverride::How::kReplaced
                                      : IsSwitchedOff(config_, leaf.path) ? UndoneOverride::How::kSwitched
                                                                          : UndoneOverride::How::kWiped;
      trace_.undone.push_back({earlier, later, how, Spelled(leaf.path)});
      return true;
    });
  }

  proto::Config& config_;
  const std::vector<std::string>& assignments_;
  std::vector<Applied> applied_;
  OverrideTrace trace_;
};

}  // namespace

OverrideTrace TraceOverrides(proto::Config& config, const std::vector<std::string>& assignments) {
  proto::Config changed = config;
  OverrideTrace trace = List(changed, assignments).Run();
  config = std::move(changed);
  return trace;
}

void ApplyOverrides(proto::Config& config, const std::vector<std::string>& assignments) {
  proto::Config changed = config;
  for (const UndoneOverride& undone : TraceOverrides(changed, assignments).undone) {
    if (undone.how == UndoneOverride::How::kReplaced) continue;
    throw Error(fmt::format("--set {}: discards {} of --set {}, expected assignments that hold together; leave one out",
                            assignments[undone.later], undone.field, assignments[undone.earlier]));
  }
  config = std::move(changed);
}

std::vector<std::string> NoteOverrides(const std::vector<std::string>& assignments,
                                       const std::vector<OptionOverride>& options) {
  std::vector<std::string> all = assignments, names;
  for (const std::string& assignment : assignments) names.push_back("--set " + assignment);
  for (const OptionOverride& option : options) {
    all.push_back(option.assignment);
    names.push_back(option.option);
  }
  std::vector<std::string> notes;
  proto::Config config;
  for (const UndoneOverride& undone : TraceOverrides(config, all).undone) {
    std::string note = fmt::format("{} takes the place of {}", names[undone.later], names[undone.earlier]);
    if (std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace twofour::train
