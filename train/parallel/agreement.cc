#include "twofour/train/parallel/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>

namespace twofour::train {
namespace {

/// How a rank's work went, as one byte: 0 for success, or one more than the kind of the failure.
struct Outcome {
  std::byte kind{0};
  std::string message;
};

Outcome Try(const std::function<void()>& work) {
  const auto failed = [](ErrorKind kind, std::string message) {
    return Outcome{static_cast<std::byte>(1 + static_cast<int>(kind)), std::move(message)};
  };
  try {
    work();
    return {};
  } catch (const Error& error) {
    return failed(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(ErrorKind::kRuntimeFailure, "out of memory");
  } catch (const std::exception& error) {
    return failed(ErrorKind::kRuntimeFailure, error.what());
  }
}

}  // namespace

bool IsShared(const std::exception& error, const comm::Communicator& ranks) {
  return ranks.size() == 1 || dynamic_cast<const SharedError*>(&error) != nullptr;
}

void ThrowLike(const std::exception& error, const std::string& message, ErrorKind kind) {
  if (dynamic_cast<const SharedError*>(&error) != nullptr) throw SharedError(message, kind);
  throw Error(message, kind);
}

void Together(comm::Communicator& ranks, const std::function<void()>& work) {
  if (ranks.size() == 1) return work();
  const Outcome mine = Try(work);
  std::vector<std::byte> kinds(static_cast<size_t>(ranks.size()));
  ranks.AllGather({&mine.kind, 1}, kinds);
  const auto first = std::ranges::find_if(kinds, [](std::byte kind) { return kind != std::byte{0}; });
  if (first == kinds.end()) return;
  const std::vector<std::vector<std::byte>> messages =
      ranks.AllGatherAnySize(std::as_bytes(std::span(mine.message.data(), mine.message.size())));
  const auto rank = static_cast<size_t>(first - kinds.begin());
  const auto text = [&](size_t r) {
    return std::string(reinterpret_cast<const char*>(messages[r].data()), messages[r].size());
  };
  const bool alike = std::ranges::all_of(messages, [&](const auto& message) { return message == messages[rank]; });
  throw SharedError(alike ? text(rank) : fmt::format("{}: {}", ranks.NameOf(static_cast<int>(rank)), text(rank)),
                    static_cast<ErrorKind>(static_cast<int>(*first) - 1));
}

bool IsTrueAnywhere(comm::Communicator& ranks, bool value) {
  const std::array mine{std::byte{value}};
  std::vector<std::byte> all(static_cast<size_t>(ranks.size()));
  ranks.AllGather(mine, all);
  return std::ranges::any_of(all, [](std::byte each) { return each != std::byte{0}; });
}

int64_t ValueOfFirst(comm::Communicator& ranks, int64_t value) {
  ranks.Broadcast(0, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::vector<double> AllNumbers(comm::Communicator& ranks, const std::vector<double>& mine) {
  std::vector<double> all(mine.size() * static_cast<size_t>(ranks.size()));
  ranks.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  return all;
}

}  // namespace twofour::train
