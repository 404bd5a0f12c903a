#include "twofour/train/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "twofour/core/error.h"
#include "twofour/train/data/shuffle.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Batch All(const Dataset& dataset) { return dataset.Get(AllIndices(dataset.size())); }

class LoadIdxTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, std::string_view contents) { return WriteTestFile(dir_ / name, contents); }
  std::string Path(const std::string& name) const { return (dir_ / name).string(); }

  /// Four images of 1x2 pixels, image i holding {10 i, 255}, and labels 0 1 2 1.
  IdxOptions FourImages() {
    IdxOptions options;
    options.images = Write("images", MakeIdx({4, 1, 2}, std::string("\0\xff\x0a\xff\x14\xff\x1e\xff", 8)));
    options.labels = Write("labels", Gzip(MakeIdx({4}, std::string("\0\1\2\1", 4))));
    options.eval_fraction = 0.25;
    return options;
  }

  void ExpectError(const IdxOptions& options, const std::string& message) {
    EXPECT_THAT([&] { LoadIdx(options); }, ThrowsMessage<Error>(message));
  }

  test::TempDir dir_;
};

TEST_F(LoadIdxTest, HoldsOutAPart) {
  const DataSplit split = LoadIdx(FourImages());
  ASSERT_EQ(split.train->size(), 3);
  ASSERT_EQ(split.eval->size(), 1);
  EXPECT_EQ(split.train->features(), 2);
  EXPECT_EQ(split.train->num_classes(), 3);
  EXPECT_THAT(split.class_names, ElementsAre("0", "1", "2"));
  EXPECT_FALSE(split.table);
  // Each image went to one part, with its own label and pixels between 0 and 1.
  std::vector<int> seen;
  for (const Dataset* part : {split.train.get(), split.eval.get()}) {
    const Batch batch = All(*part);
    for (int64_t i = 0; i < part->size(); ++i) {
      const float* row = batch.inputs.data<float>() + 2 * i;
      const int image = static_cast<int>(row[0] * 255 / 10 + 0.5F);
      EXPECT_EQ(row[0], static_cast<float>(10 * image) / 255);
      EXPECT_EQ(row[1], 1.0F);
      EXPECT_EQ(batch.targets.data<int32_t>()[i], (std::vector<int>{0, 1, 2, 1})[image]);
      seen.push_back(image);
    }
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3));
}

TEST_F(LoadIdxTest, TakesASecondPairToEvaluateOn) {
  IdxOptions options = FourImages();
  options.eval_images = Write("eval_images", Gzip(MakeIdx({1, 1, 2}, "\x33\x66")));
  options.eval_labels = Write("eval_labels", MakeIdx({1}, "\x04"));
  const DataSplit split = LoadIdx(options);
  EXPECT_THAT(All(*split.train).targets.ToVector(), ElementsAre(0, 1, 2, 1));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(0.2F, 0.4F));
  EXPECT_EQ(split.eval->num_classes(), 5);
  EXPECT_EQ(split.train->num_classes(), 5);
}

TEST_F(LoadIdxTest, KeepsTheShapeOfImages) {
  const auto shape_of = [this](const std::vector<uint32_t>& dims) {
    IdxOptions options = FourImages();
    options.images = Write("shaped", MakeIdx(dims, std::string(24, '\1')));
    return LoadIdx(options).sample_shape;
  };
  EXPECT_EQ(shape_of({4, 2, 3}), (Shape{2, 3}));
  EXPECT_EQ(shape_of({4, 2, 1, 3}), (Shape{2, 1, 3}));
  EXPECT_EQ(shape_of({4, 2, 3, 1}), (Shape{2, 3}));  // One channel.
  EXPECT_EQ(shape_of({4, 6}), (Shape{6}));
}

TEST_F(LoadIdxTest, TakesMoreClassesThanOccur) {
  IdxOptions options = FourImages();
  options.num_classes = 10;
  EXPECT_EQ(LoadIdx(options).eval->num_classes(), 10);
}

TEST_F(LoadIdxTest, RefusesLabelsOutside) {
  IdxOptions options = FourImages();
  options.num_classes = 2;
  ExpectError(options, Path("labels") + ": byte 10: label 2, expected 0 to 1 (num_classes is 2)");
}

TEST_F(LoadIdxTest, RefusesASingleClass) {
  IdxOptions options = FourImages();
  options.labels = Write("labels", MakeIdx({4}, std::string(4, '\0')));
  ExpectError(options, Path("labels") + ": every label is 0, expected at least 2 classes");
}

TEST_F(LoadIdxTest, RefusesCountsThatDiffer) {
  IdxOptions options = FourImages();
  options.labels = Write("labels", MakeIdx({3}, "\1\1\1"));
  ExpectError(options, Path("labels") + ": byte 4: 3 labels for 4 images in " + Path("images"));
}

TEST_F(LoadIdxTest, RefusesSwappedFiles) {
  IdxOptions options = FourImages();
  std::swap(options.images, options.labels);
  ExpectError(options,
              Path("labels") + ": byte 3: 1 dimension, expected at least 2 for images (is this the file of labels?)");
  options.images = options.labels;
  ExpectError(options, Path("images") + ": byte 3: 3 dimensions, expected 1 for labels (is this the file of images?)");
}

TEST_F(LoadIdxTest, RefusesEvaluationImagesOfAnotherSize) {
  IdxOptions options = FourImages();
  options.eval_images = Write("eval_images", MakeIdx({1, 2, 1}, "12"));
  options.eval_labels = Write("eval_labels", MakeIdx({1}, "\1"));
  ExpectError(options, Path("eval_images") + ": images are 1 x 2 x 1, those of " + Path("images") +
                           " are 4 x 1 x 2 (count first)");
}

TEST_F(LoadIdxTest, RefusesHalfAnEvaluationPair) {
  IdxOptions options = FourImages();
  options.eval_images = options.images;
  ExpectError(options, "idx: eval_images is set without eval_labels");
  std::swap(options.eval_images, options.eval_labels);
  ExpectError(options, "idx: eval_labels is set without eval_images");
}

TEST_F(LoadIdxTest, RefusesMissingFilesAndOddClassCounts) {
  IdxOptions options = FourImages();
  options.images = Path("nowhere");
  EXPECT_THAT([&] { LoadIdx(options); }, ThrowsMessage<Error>(HasSubstr(Path("nowhere"))));
  options.images = "";
  ExpectError(options, "idx: images: expected the path of a file");
  for (int64_t count : {-1, 1, 257}) {
    options.num_classes = count;
    EXPECT_THAT([&] { LoadIdx(options); }, ThrowsMessage<Error>(HasSubstr("expected 2 to 256, or 0")));
  }
}

TEST(LoadMnistTest, ReadsTheRealFiles) {
  const char* folder = std::getenv("TWOFOUR_DATA_DIR");
  if (folder == nullptr) GTEST_SKIP() << "TWOFOUR_DATA_DIR does not name a folder with MNIST's test files";
  IdxOptions options;
  options.images = std::string(folder) + "/t10k-images-idx3-ubyte.gz";
  options.labels = std::string(folder) + "/t10k-labels-idx1-ubyte.gz";
  if (!FileSystem::Default().Exists(options.images) || !FileSystem::Default().Exists(options.labels)) {
    GTEST_SKIP() << "TWOFOUR_DATA_DIR holds no t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz";
  }
  const DataSplit split = LoadIdx(options);
  EXPECT_EQ(split.train->size(), 8000);
  EXPECT_EQ(split.eval->size(), 2000);
  EXPECT_EQ(split.train->features(), 784);
  EXPECT_EQ(split.train->num_classes(), 10);
  // Published statistics of the test set: class counts, and the mean grey 0.1325.
  std::vector<int> counts(10);
  double sum = 0;
  for (const Dataset* part : {split.train.get(), split.eval.get()}) {
    const Batch batch = All(*part);
    for (float label : batch.targets.ToVector()) ++counts[static_cast<size_t>(label)];
    for (float pixel : batch.inputs.ToVector()) sum += pixel;
  }
  EXPECT_THAT(counts, ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
  EXPECT_NEAR(sum / (10000 * 784), 0.1325, 0.0001);
}

TEST_F(LoadIdxTest, NotesOddClasses) {
  IdxOptions options = FourImages();
  options.eval_images = options.images;
  options.eval_labels = Write("eval_labels", MakeIdx({4}, std::string("\0\4\4\1", 4)));
  EXPECT_THAT(LoadIdx(options).notes,
              ElementsAre("class \"4\" occurs in evaluation alone: 2 of its 4 samples can never be right",
                          "class \"2\" occurs once in all samples", "class \"3\" occurs in no sample"));
}

TEST_F(LoadIdxTest, RefusesASingleClassOfAnyNumber) {
  IdxOptions options = FourImages();
  options.labels = Write("labels", MakeIdx({4}, std::string("\5\5\5\5", 4)));
  ExpectError(options, Path("labels") + ": every label is 5, expected at least 2 classes");
  options.num_classes = 10;
  ExpectError(options, Path("labels") + ": every label is 5, expected at least 2 classes");
}

}  // namespace
}  // namespace twofour::train
