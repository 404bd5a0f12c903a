#include "twofour/train/program/cli/pattern_catalogue.h"

namespace twofour::train {
namespace {

constexpr std::string_view kSparseCores =
    "since Ampere, sparse tensor cores take 2:4 along rows in f16, bf16 and int8, and in FP8 since Ada and Hopper; of "
    "tf32 they take 1:2 (NVIDIA: PTX ISA, mma.sp; cuSPARSELt, data types and release notes)";
constexpr std::string_view kSparserThanTwo =
    "a 1:4 weight is 2:4, too: half of the values that tensor cores then read are zeros (as for 2:4)";
constexpr std::string_view kWiderGroups =
    "of 4:8, they take whole pairs of neighbours alone, in int4 and FP4 (NVIDIA: PTX ISA, mma.sp)";
constexpr std::string_view kBothWays =
    "the weight's transpose is 2:4, too, so the gradient of the input gains as the forward product does (Hubara et "
    "al., \"Accelerated Sparse Neural Training\", 2021)";
constexpr std::string_view kVnm =
    "libraries gather the columns of a block and multiply with 2:4 tensor cores (Castro et al., \"VENOM\", SC 2023, "
    "with the library Spatha); cuBLAS and cuSPARSELt do not";
constexpr std::string_view kUnstructured =
    "sparse products run on the ordinary cores, which need high sparsities to be faster than dense tensor cores "
    "(NVIDIA: cuSPARSE, SpMM; Gale et al., \"Sparse GPU Kernels for Deep Learning\", SC 2020)";
constexpr std::string_view kBlocks =
    "block-sparse kernels leave out zero blocks and multiply the others as dense ones (NVIDIA: cuSPARSE, Blocked-ELL "
    "SpMM; Gray et al., \"GPU Kernels for Block-Sparse Weights\", 2017)";

constexpr CataloguePattern kCatalogue[] = {
    {"2:4", "sparse tensor cores", kSparseCores},
    {"1:4", "sparse tensor cores, as 2:4", kSparserThanTwo},
    {"4:8", "none", kWiderGroups},
    {"transposable:2:4", "sparse tensor cores, both products", kBothWays},
    {"64:2:8", "with libraries (VENOM)", kVnm},
    {"64:2:16", "with libraries (VENOM)", kVnm},
    {"rows:64:2:8", "with libraries (VENOM)", kVnm},
    {"unstructured:0.5", "none in tensor cores", kUnstructured},
    {"unstructured:0.9", "none in tensor cores", kUnstructured},
    {"block:16x16:0.5", "block-sparse kernels", kBlocks},
};

}  // namespace

std::span<const CataloguePattern> PatternCatalogue() { return kCatalogue; }

}  // namespace twofour::train
