#include "tests/kernels/cuda/ss2d_backward_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/cuda/ss2d_backward_body.h"
#include "kernels/cuda/ss2d_widths.h"

namespace groupmamba::testing {
namespace {

using cuda::Ss2dShape;

template <class T>
struct BackwardBody {
  template <int kPadded>
  void Of() const {
    cuda::Ss2dBackwardBody<T, kPadded>(ctx, arguments);
  }
  void None() const { std::abort(); }
  const ExecutorContext& ctx;
  const cuda::Ss2dBackwardArguments& arguments;
};

// [group][batch][token][halves][padded] as numbers, without the padding.
template <class T>
std::vector<double> Half(const std::vector<T>& values, const Ss2dShape& shape,
                         int sequence, int halves, int half) {
  const int tokens = shape.height * shape.width;
  const int padded = cuda::PaddedGroupWidth(shape.group_width);
  std::vector<double> of_sequence;
  for (int t = 0; t < tokens; ++t)
    for (int i = 0; i < shape.group_width; ++i) {
      const size_t token = size_t(sequence) * tokens + t;
      of_sequence.push_back(
          ToFloat(values[(token * halves + half) * padded + i]));
    }
  return of_sequence;
}

void Append(std::vector<double>& to, const std::vector<double>& values) {
  to.insert(to.end(), values.begin(), values.end());
}

// One group's sums over the batch.
void Add(std::vector<double>& to, const std::vector<double>& values) {
  to.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) to[i] += values[i];
}

Gradients ParametersOf(const reference::Ss2dGradients& g) {
  return {{"conv2d.weight", g.convolution_weight},
          {"conv2d.bias", g.convolution_bias},
          {"x_proj_weight", g.x_proj_weight},
          {"dt_projs_weight", g.dt_projs_weight},
          {"dt_projs_bias", g.dt_projs_bias},
          {"A_logs", g.a_logs},
          {"Ds", g.ds},
          {"out_norm.weight", g.out_norm_weight},
          {"out_norm.bias", g.out_norm_bias}};
}

}  // namespace

template <class T>
void RunSs2dBackwardBody(const ExecutorContext& ctx, int padded,
                         const cuda::Ss2dBackwardArguments& arguments) {
  cuda::OfPaddedWidth(padded, BackwardBody<T>{ctx, arguments});
}

template <class T>
Ss2dBackwardCase<T> MakeSs2dBackwardCase(int batch, int height, int width,
                                         int group_width, int seed) {
  Ss2dBackwardCase<T> c;
  c.forward = MakeSs2dCase<T>(batch, height, width, group_width, seed);
  const int padded = cuda::PaddedGroupWidth(group_width);
  const std::vector<float> values =
      RandomFloats(c.forward.xz.size() / 2, -1, 1, seed + 8);
  for (size_t i = 0; i < values.size(); ++i) {
    const bool padding = static_cast<int>(i % padded) >= group_width;
    c.d_out.push_back(Stored<T>(padding ? 0 : values[i]));
  }
  c.states.assign(cuda::Ss2dStateFloats(c.forward.shape), std::nanf(""));
  EXPECT_EQ(RunSs2dCore(c.forward, 0, {}, 0, c.states.data()).failure, "");
  return c;
}

template <class T>
Ss2dBackwardRun<T> RunSs2dBackward(const Ss2dBackwardCase<T>& c, int segments,
                                   const ExecutorOptions& options,
                                   int shared_bytes) {
  const Ss2dShape& shape = c.forward.shape;
  Ss2dBackwardRun<T> run;
  run.plan = cuda::PlanSs2dBackward(shape, StorageOf<T>(), segments);
  if (run.plan.segments == 0) {
    run.failure = "no plan";
    return run;
  }
  const int padded = cuda::PaddedGroupWidth(shape.group_width);
  run.d_xz.resize(c.forward.xz.size());
  run.partials.resize(cuda::Ss2dPartialFloats(shape));
  run.d_parameters.resize(c.forward.parameters.size());
  std::vector<uint64_t> scratch(
      cuda::Ss2dBackwardScratchBytes(shape, StorageOf<T>(), run.plan) / 8);
  std::vector<float> states = c.states;
  CudaExecutor executor;
  const int xz = executor.Input(c.forward.xz);
  const int parameters = executor.Input(c.forward.parameters);
  const int of_states = executor.Input(states);
  const int d_out = executor.Input(c.d_out);
  const int words = executor.Scratch(scratch);
  const int d_xz = executor.Output(run.d_xz);
  const int partials = executor.Output(run.partials);
  const cuda::Ss2dBackwardArguments arguments = {
      {shape, run.plan.segments, kOutNormEpsilon, c.forward.xz.data(),
       c.forward.parameters.data(), scratch.data(), states.data()},
      c.d_out.data(),
      run.d_xz.data(),
      run.partials.data()};
  run.failure = executor.Launch(
      {run.plan.blocks, run.plan.threads,
       shared_bytes != 0 ? shared_bytes : run.plan.shared_bytes},
      options, [&](const ExecutorContext& ctx) {
        RunSs2dBackwardBody<T>(ctx, padded, arguments);
      });
  if (!run.failure.empty()) return run;
  if (!executor.WroteAllOf(d_xz) || !executor.WroteAllOf(partials)) {
    run.failure = "some output was not written";
  }
  if (std::any_of(scratch.begin(), scratch.end(),
                  [](uint64_t word) { return word != 0; })) {
    run.failure = "the scratch is not zero after the launch";
  }
  run.xz = executor.traffic(xz);
  run.parameters = executor.traffic(parameters);
  run.states = executor.traffic(of_states);
  run.d_out = executor.traffic(d_out);
  run.scratch = executor.traffic(words);
  run.written = executor.traffic(d_xz);
  run.written.stored += executor.traffic(partials).stored;
  run.written.narrow += executor.traffic(partials).narrow;
  if (!run.failure.empty()) return run;

  CudaExecutor reducer;
  reducer.Input(run.partials);
  const int sums = reducer.Output(run.d_parameters);
  const int floats = cuda::GroupFloats(padded);
  const cuda::Ss2dReduceArguments reduce = {
      shape.batch, floats, run.partials.data(), run.d_parameters.data()};
  run.failure = reducer.Launch({cuda::ReduceBlocks(floats),
                                cuda::kReduceThreads, cuda::kReduceSharedBytes},
                               options, [&](const ExecutorContext& ctx) {
                                 cuda::Ss2dReduceBody(ctx, reduce);
                               });
  if (run.failure.empty() && !reducer.WroteAllOf(sums)) {
    run.failure = "some sums were not written";
  }
  return run;
}

template <class T>
Gradients WantedGradients(const Ss2dBackwardCase<T>& c) {
  const Ss2dShape& shape = c.forward.shape;
  const int d = shape.group_width, tokens = shape.height * shape.width;
  const int padded = cuda::PaddedGroupWidth(d);
  Gradients want;
  std::vector<double>& dxz = want["dxz"];
  dxz.resize(c.forward.xz.size());
  for (int group = 0; group < cuda::kGroups; ++group) {
    Gradients of_group;
    for (int image = 0; image < shape.batch; ++image) {
      const int sequence = group * shape.batch + image;
      const reference::Ss2dGradients g = reference::Ss2dCoreBackward(
          c.forward.groups[group], shape.height, shape.width,
          shape.directions[group], kOutNormEpsilon,
          Half(c.forward.xz, shape, sequence, 2, 0),
          Half(c.forward.xz, shape, sequence, 2, 1),
          Half(c.d_out, shape, sequence, 1, 0));
      for (int t = 0; t < tokens; ++t) {
        double* const to = &dxz[(size_t(sequence) * tokens + t) * 2 * padded];
        std::copy_n(&g.dx[size_t(t) * d], d, to);
        std::copy_n(&g.dz[size_t(t) * d], d, to + padded);
      }
      for (const auto& [name, values] : ParametersOf(g)) {
        Add(of_group[name], values);
      }
    }
    for (const auto& [name, values] : of_group) Append(want[name], values);
  }
  return want;
}

template <class T>
Gradients GradientsOf(const Ss2dBackwardCase<T>& c,
                      const Ss2dBackwardRun<T>& run) {
  const Ss2dShape& shape = c.forward.shape;
  const int d = shape.group_width, rank = shape.rank;
  Gradients got;
  for (T value : run.d_xz) got["dxz"].push_back(ToFloat(value));
  for (int group = 0; group < cuda::kGroups; ++group) {
    std::map<std::string, std::vector<float>> to = {
        {"conv2d.weight", std::vector<float>(d * 9)},
        {"conv2d.bias", std::vector<float>(d)},
        {"x_proj_weight", std::vector<float>((rank + 2) * d)},
        {"dt_projs_weight", std::vector<float>(d * rank)},
        {"dt_projs_bias", std::vector<float>(d)},
        {"A_logs", std::vector<float>(d)},
        {"Ds", std::vector<float>(d)},
        {"out_norm.weight", std::vector<float>(d)},
        {"out_norm.bias", std::vector<float>(d)}};
    const auto at = [&to](const char* name) { return to[name].data(); };
    cuda::UnpackSs2dGradients(
        shape, group, c.forward.parameters.data(), run.d_parameters.data(),
        {at("conv2d.weight"), at("conv2d.bias"), at("x_proj_weight"),
         at("dt_projs_weight"), at("dt_projs_bias"), at("A_logs"), at("Ds"),
         at("out_norm.weight"), at("out_norm.bias")});
    for (const auto& [name, values] : to) {
      Append(got[name], {values.begin(), values.end()});
    }
  }
  return got;
}

#define GM_INSTANTIATE(T)                                                      \
  template void RunSs2dBackwardBody<T>(const ExecutorContext&, int,            \
                                       const cuda::Ss2dBackwardArguments&);    \
  template Ss2dBackwardCase<T> MakeSs2dBackwardCase(int, int, int, int, int);  \
  template Ss2dBackwardRun<T> RunSs2dBackward(const Ss2dBackwardCase<T>&, int, \
                                              const ExecutorOptions&, int);    \
  template Gradients WantedGradients(const Ss2dBackwardCase<T>&);              \
  template Gradients GradientsOf(const Ss2dBackwardCase<T>&,                   \
                                 const Ss2dBackwardRun<T>&);

GM_INSTANTIATE(float)
GM_INSTANTIATE(cuda::Bf16)

}  // namespace groupmamba::testing
