#include "twofour/train/program/exchange/onnx_model.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <numbers>

#include "twofour/core/error.h"
#include "twofour/core/ops/rotary.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/gpt.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/exchange/onnx_graph.h"

namespace twofour::train {
namespace {

constexpr double kPlainEps = 1e-6;  // That of RMS norms whose eps is no option.

/// Writes layers into a graph. Functions take and return names of values.
class Layers {
 public:
  explicit Layers(const std::vector<NamedTensor>& parameters) {
    for (const NamedTensor& named : parameters) parameters_.emplace(named.name, named.tensor);
  }

  OnnxGraph& graph() { return graph_; }

  bool Has(const std::string& name) const { return parameters_.contains(name); }
  const Tensor& Get(const std::string& name) const {
    const auto found = parameters_.find(name);
    if (found == parameters_.end())
      throw Error(fmt::format("the weights lack '{}', expected all of the model's", name));
    return found->second;
  }
  std::string Parameter(const std::string& name) { return graph_.Initializer(name, Get(name)); }

  /// x [rows, in] to [rows, out].
  std::string Linear(const std::string& name, const std::string& x) {
    std::vector<std::string> inputs = {x, Parameter(name + ".weight")};
    if (Has(name + ".bias")) inputs.push_back(Parameter(name + ".bias"));
    return graph_.Node("Gemm", inputs, {{"transB", {1}}});
  }

  /// Over the last dimension; `weight` may be empty.
  std::string RmsNorm(const std::string& x, const std::string& weight, double eps) {
    const std::string mean = MeanOfLast(graph_.Node("Mul", {x, x}));
    const std::string y = graph_.Node("Div", {x, RootPlus(mean, eps)});
    return weight.empty() ? y : graph_.Node("Mul", {y, Parameter(weight)});
  }

  std::string LayerNorm(const std::string& x, const std::string& name, double eps) {
    const std::string centred = graph_.Node("Sub", {x, MeanOfLast(x)});
    const std::string variance = MeanOfLast(graph_.Node("Mul", {centred, centred}));
    const std::string y = graph_.Node("Div", {centred, RootPlus(variance, eps)});
    return graph_.Node("Add", {graph_.Node("Mul", {y, Parameter(name + ".weight")}), Parameter(name + ".bias")});
  }

  std::string Norm(nn::NormKind kind, const std::string& name, const std::string& x, double eps) {
    if (kind == nn::NormKind::kLayer) return LayerNorm(x, name, eps);
    return RmsNorm(x, kind == nn::NormKind::kWeightedRms ? name + ".weight" : "", eps);
  }

  std::string Activate(nn::Activation activation, const std::string& x) {
    switch (activation) {
      case nn::Activation::kReluSquared: {
        const std::string relu = graph_.Node("Relu", {x});
        return graph_.Node("Mul", {relu, relu});
      }
      case nn::Activation::kRelu:
        return graph_.Node("Relu", {x});
      case nn::Activation::kGelu:
        return TimesHalfOnePlus(x, graph_.Node("Erf", {Times(x, 1 / std::numbers::sqrt2)}));
      case nn::Activation::kGeluTanh: {
        const std::string cube = graph_.Node("Mul", {graph_.Node("Mul", {x, x}), x});
        const std::string sum = graph_.Node("Add", {x, Times(cube, 0.044715)});
        const std::string u = Times(sum, std::sqrt(2 / std::numbers::pi));
        return TimesHalfOnePlus(x, graph_.Node("Tanh", {u}));
      }
      case nn::Activation::kSwiGlu:
        return graph_.Node("Mul", {x, graph_.Node("Sigmoid", {x})});  // Of the gate; Mlp multiplies by c_fc.
    }
    return x;
  }

  /// x [rows, width] to [rows, width].
  std::string Mlp(const std::string& name, nn::Activation activation, const std::string& x) {
    std::string hidden = Linear(name + ".c_fc", x);
    if (activation == nn::Activation::kSwiGlu) {
      hidden = graph_.Node("Mul", {Activate(activation, Linear(name + ".c_gate", x)), hidden});
    } else {
      hidden = Activate(activation, hidden);
    }
    return Linear(name + ".c_proj", hidden);
  }

  std::string Times(const std::string& x, double factor) { return graph_.Node("Mul", {x, graph_.Scalar(factor)}); }

  std::string Reshape(const std::string& x, const std::vector<int64_t>& shape) {
    return graph_.Node("Reshape", {x, graph_.Integers(shape)});
  }

 private:
  std::string MeanOfLast(const std::string& x) {
    return graph_.Node("ReduceMean", {x}, {{"axes", {-1}}, {"keepdims", {1}}});
  }
  std::string RootPlus(const std::string& x, double eps) {
    return graph_.Node("Sqrt", {graph_.Node("Add", {x, graph_.Scalar(eps)})});
  }
  std::string TimesHalfOnePlus(const std::string& x, const std::string& y) {
    return graph_.Node("Mul", {Times(x, 0.5), graph_.Node("Add", {y, graph_.Scalar(1)})});
  }

  OnnxGraph graph_;
  std::map<std::string, Tensor> parameters_;
};

void WriteMlp(const proto::MlpStack& mlp, Layers& layers) {
  const nn::MlpStackOptions options = ToOptions(mlp);
  layers.graph().AddInput("input", OnnxGraph::Element::kF32, {"batch", layers.Get("layers.0.weight").dim(1)});
  std::string x = "input", name = "layers.0";
  for (size_t i = 0; i <= options.hidden_features.size(); ++i) {
    name = fmt::format("layers.{}", i);
    x = layers.Linear(name, i == 0 ? x : layers.Activate(options.activation, x));
  }
  layers.graph().AddOutput(layers.graph().NameLast("output"), {"batch", layers.Get(name + ".weight").dim(0)});
}

void WriteResidualMlp(const proto::ResidualMlp& mlp, Layers& layers) {
  const nn::ResidualMlpOptions options = ToOptions(mlp);
  OnnxGraph& graph = layers.graph();
  graph.AddInput("input", OnnxGraph::Element::kF32, {"batch", layers.Get("input.weight").dim(1)});
  std::string x = layers.Linear("input", "input");
  for (int64_t i = 0; i < options.num_blocks; ++i) {
    const std::string block = fmt::format("blocks.{}.", i);
    const std::string normed = layers.RmsNorm(x, block + "norm.weight", kPlainEps);
    x = graph.Node("Add", {x, layers.Mlp(block + "mlp", options.activation, normed)});
  }
  layers.Linear("head", layers.RmsNorm(x, "norm.weight", kPlainEps));
  graph.AddOutput(graph.NameLast("output"), {"batch", layers.Get("head.weight").dim(0)});
}

/// Writes a Gpt. Between blocks x is [batch, length, width]; linears take it as [batch * length, width].
class GptWriter {
 public:
  GptWriter(const nn::GptOptions& options, Layers& layers)
      : options_(options), layers_(layers), graph_(layers.graph()) {}

  void Write() {
    graph_.AddInput("tokens", OnnxGraph::Element::kI64, {"batch", "length"});
    length_ = graph_.Node("Gather", {graph_.Node("Shape", {"tokens"}), graph_.Integers({1})}, {{"axis", {0}}});
    std::string x = graph_.Node("Gather", {layers_.Parameter("transformer.wte.weight"), "tokens"}, {{"axis", {0}}});
    if (options_.positions == nn::Positions::kLearned) {
      x = graph_.Node("Add", {x, FirstRows(layers_.Parameter("transformer.wpe.weight"))});
    } else {
      AddTurns();
    }
    if (options_.embedding_norm) x = layers_.RmsNorm(x, "", kPlainEps);
    AddMask();
    for (int64_t i = 0; i < options_.depth; ++i) x = Block(fmt::format("transformer.h.{}.", i), x);
    x = Rows(Norm("transformer.ln_f", x), options_.width);
    const std::string head = layers_.Has("lm_head.weight") ? "lm_head" : "transformer.wte";
    std::string logits = Sequences(layers_.Linear(head, x), options_.vocab_size);
    if (options_.soft_cap > 0) {
      logits = layers_.Times(graph_.Node("Tanh", {layers_.Times(logits, 1 / options_.soft_cap)}), options_.soft_cap);
    }
    graph_.AddOutput(graph_.NameLast("logits"), {"batch", "length", options_.vocab_size});
  }

 private:
  std::string Norm(const std::string& name, const std::string& x) {
    return layers_.Norm(options_.norm, name, x, options_.norm_eps);
  }
  std::string Rows(const std::string& x, int64_t width) { return layers_.Reshape(x, {-1, width}); }
  /// [batch * length, width] to [batch, length, width].
  std::string Sequences(const std::string& x, int64_t width) {
    if (batch_and_length_.empty()) batch_and_length_ = graph_.Node("Shape", {"tokens"});
    const std::string shape = graph_.Node("Concat", {batch_and_length_, graph_.Integers({width})}, {{"axis", {0}}});
    return graph_.Node("Reshape", {x, shape});
  }
  /// The first `length` rows of a constant.
  std::string FirstRows(const std::string& x) {
    return graph_.Node("Slice", {x, graph_.Integers({0}), length_, graph_.Integers({0})});
  }

  /// Cosines and sines of the angles of all positions, as Rotary turns (1, 0) to (cos, -sin).
  void AddTurns() {
    const int64_t half = options_.head_features / 2, length = options_.sequence_length;
    Tensor ones = Tensor::Zeros({1, length, 1, 2 * half});
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t i = 0; i < half; ++i) ones.mutable_data<float>()[t * 2 * half + i] = 1;
    }
    const Tensor turned = Rotary(ones, options_.rotary);
    Tensor cosines = Tensor::Empty({length, half}), sines = Tensor::Empty({length, half});
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t i = 0; i < half; ++i) {
        cosines.mutable_data<float>()[t * half + i] = turned.data<float>()[t * 2 * half + i];
        sines.mutable_data<float>()[t * half + i] = -turned.data<float>()[t * 2 * half + half + i];
      }
    }
    cosines_ = FirstRows(graph_.Initializer("cosines", cosines));
    sines_ = FirstRows(graph_.Initializer("sines", sines));
  }

  /// Whether each query may see each key, [length, length].
  void AddMask() {
    const std::string zero = graph_.Initializer("zero", Tensor::FromVector<int64_t>({0}, {}));
    const std::string one = graph_.Initializer("one", Tensor::FromVector<int64_t>({1}, {}));
    const std::string end = graph_.Node("Squeeze", {length_, graph_.Integers({0})});
    const std::string positions = graph_.Node("Range", {zero, end, one});
    const std::string query = graph_.Node("Unsqueeze", {positions, graph_.Integers({1})});
    const std::string key = graph_.Node("Unsqueeze", {positions, graph_.Integers({0})});
    const std::string oldest = graph_.Node("Sub", {query, graph_.Integers({options_.attention_window})});
    mask_ = graph_.Node("And", {graph_.Node("LessOrEqual", {key, query}), graph_.Node("Greater", {key, oldest})});
  }

  /// Heads of queries, keys or values: [batch * length, heads * size] to [batch, heads, length, size].
  std::string Heads(const std::string& x, int64_t heads) {
    const int64_t size = options_.head_features;
    const std::string split = layers_.Reshape(Sequences(x, heads * size), {0, 0, heads, size});
    return graph_.Node("Transpose", {split}, {{"perm", {0, 2, 1, 3}}});
  }

  std::string WithPosition(std::string x) {
    const int64_t half = options_.head_features / 2;
    if (options_.positions == nn::Positions::kRotary) {
      const std::string axis = graph_.Integers({3});
      const std::string first = graph_.Node("Slice", {x, graph_.Integers({0}), graph_.Integers({half}), axis});
      const std::string second = graph_.Node("Slice", {x, graph_.Integers({half}), graph_.Integers({2 * half}), axis});
      const auto times = [&](const std::string& a, const std::string& b) { return graph_.Node("Mul", {a, b}); };
      x = graph_.Node("Concat",
                      {graph_.Node("Add", {times(first, cosines_), times(second, sines_)}),
                       graph_.Node("Sub", {times(second, cosines_), times(first, sines_)})},
                      {{"axis", {-1}}});
    }
    return options_.query_key_norm ? layers_.RmsNorm(x, "", kPlainEps) : x;
  }

  /// Each key head, as often as query heads share it.
  std::string Shared(const std::string& x) {
    const int64_t kv_heads = options_.kv_heads == 0 ? options_.heads : options_.kv_heads;
    if (kv_heads == options_.heads) return x;
    std::vector<int64_t> heads;
    for (int64_t head = 0; head < options_.heads; ++head) heads.push_back(head / (options_.heads / kv_heads));
    return graph_.Node("Gather", {x, graph_.Integers(heads)}, {{"axis", {1}}});
  }

  std::string Attention(const std::string& name, const std::string& x) {
    const int64_t kv_heads = options_.kv_heads == 0 ? options_.heads : options_.kv_heads;
    const std::string q = WithPosition(Heads(layers_.Linear(name + "c_q", x), options_.heads));
    const std::string k = Shared(WithPosition(Heads(layers_.Linear(name + "c_k", x), kv_heads)));
    const std::string v = Shared(Heads(layers_.Linear(name + "c_v", x), kv_heads));
    const double scale = 1 / std::sqrt(static_cast<double>(options_.head_features));
    const std::string keys = graph_.Node("Transpose", {k}, {{"perm", {0, 1, 3, 2}}});
    const std::string scores = layers_.Times(graph_.Node("MatMul", {q, keys}), scale);
    const std::string seen = graph_.Node("Where", {mask_, scores, graph_.Scalar(-1e30)});
    const std::string y = graph_.Node("MatMul", {graph_.Node("Softmax", {seen}, {{"axis", {-1}}}), v});
    return layers_.Linear(name + "c_proj", Rows(graph_.Node("Transpose", {y}, {{"perm", {0, 2, 1, 3}}}),
                                                options_.heads * options_.head_features));
  }

  std::string Block(const std::string& name, std::string x) {
    const std::string attention = Attention(name + "attn.", Rows(Norm(name + "ln_1", x), options_.width));
    x = graph_.Node("Add", {x, Sequences(attention, options_.width)});
    const std::string mlp =
        layers_.Mlp(name + "mlp", options_.activation, Rows(Norm(name + "ln_2", x), options_.width));
    return graph_.Node("Add", {x, Sequences(mlp, options_.width)});
  }

  const nn::GptOptions& options_;
  Layers& layers_;
  OnnxGraph& graph_;
  std::string length_, batch_and_length_, cosines_, sines_, mask_;
};

}  // namespace

std::string ToOnnx(const proto::Config& config, const std::vector<NamedTensor>& parameters,
                   const std::map<std::string, std::string>& metadata) {
  Layers layers(parameters);
  const proto::Model& model = config.model();
  if (model.has_mlp()) {
    WriteMlp(model.mlp(), layers);
  } else if (model.has_residual_mlp()) {
    WriteResidualMlp(model.residual_mlp(), layers);
  } else if (model.has_gpt()) {
    nn::GptOptions options = nn::Resolved(ToOptions(model.gpt()));
    options.vocab_size = layers.Get("transformer.wte.weight").dim(0);
    GptWriter(options, layers).Write();
  } else {
    throw Error("the run's model is a conv_net, expected an mlp, a residual_mlp or a gpt for ONNX");
  }
  return layers.graph().ToBytes(metadata);
}

}  // namespace twofour::train
