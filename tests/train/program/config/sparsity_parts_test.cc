#include "twofour/train/program/config/sparsity_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "twofour/train/program/config/fields.h"

namespace twofour::train {
namespace {

using ::testing::UnorderedElementsAreArray;

/// A recipe in which every field is set.
proto::Sparsity Full() {
  proto::Sparsity sparsity;
  const google::protobuf::Descriptor& type = *sparsity.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    if (field.is_repeated()) {
      sparsity.GetReflection()->AddMessage(&sparsity, &field);
    } else if (field.message_type() != nullptr) {
      sparsity.GetReflection()->MutableMessage(&sparsity, &field);
    } else {
      SetToDefault(sparsity, field);
    }
  }
  return sparsity;
}

std::vector<std::string> GivenIn(const proto::Sparsity& sparsity) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  sparsity.GetReflection()->ListFields(sparsity, &fields);
  std::vector<std::string> names;
  for (const google::protobuf::FieldDescriptor* field : fields) names.push_back(field->name());
  return names;
}

TEST(SparsityPartsTest, EveryFieldHasAPart) {
  const google::protobuf::Descriptor& type = *proto::Sparsity::descriptor();
  ASSERT_GT(type.field_count(), 0);
  for (int i = 0; i < type.field_count(); ++i) {
    EXPECT_TRUE(proto::Part_IsValid(PartOf(*type.field(i)))) << type.field(i)->name();
  }
}

TEST(SparsityPartsTest, AFieldWithoutAPartIsABug) {
  EXPECT_THROW(PartOf(*proto::Training::descriptor()->field(0)), std::logic_error);
}

TEST(SparsityPartsTest, ClearsTheFieldsOfAPartAndNoOthers) {
  proto::Sparsity sparsity = Full();
  ASSERT_EQ(std::ssize(GivenIn(sparsity)), proto::Sparsity::descriptor()->field_count());
  ClearParts(sparsity, {});
  EXPECT_EQ(std::ssize(GivenIn(sparsity)), proto::Sparsity::descriptor()->field_count());
  ClearParts(sparsity, {proto::TIMETABLE, proto::TRAINING});
  EXPECT_THAT(GivenIn(sparsity), UnorderedElementsAreArray({"include", "exclude", "multiple_of", "algorithm", "rows",
                                                            "vnm", "fused_mlp", "score", "pattern", "layers"}));
  sparsity = Full();
  ClearParts(sparsity, {proto::MASK_CHOICE, proto::TRAINING});
  EXPECT_THAT(GivenIn(sparsity), UnorderedElementsAreArray({"schedule", "stages", "nested_stages", "freeze",
                                                            "freeze_gradient", "dense_warmup", "dense_finish"}));
}

TEST(SparsityPartsTest, WhatWasNotGivenStaysSo) {
  proto::Sparsity sparsity;
  sparsity.set_exclude("x");
  sparsity.mutable_freeze()->set_step(3);
  ClearParts(sparsity, {proto::TIMETABLE});
  EXPECT_THAT(GivenIn(sparsity), UnorderedElementsAreArray({"exclude"}));
  EXPECT_EQ(sparsity.exclude(), "x");
}

}  // namespace
}  // namespace twofour::train
