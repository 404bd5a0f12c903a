#include "twofour/comm/communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

#include "twofour/core/error.h"

namespace twofour::comm {
namespace {

std::span<const std::byte> BytesOf(const uint64_t& number) { return std::as_bytes(std::span(&number, 1)); }

}  // namespace

std::string Communicator::NameOf(int rank) const { return fmt::format("rank {} ({})", rank, HostOf(rank)); }

void Communicator::Exchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) {
  const auto require_other = [this](int other) {
    if (other >= 0 && other < size() && other != rank()) return;
    throw Error(fmt::format("communicator: rank {} of {} exchanges bytes with rank {}, expected another one of 0 to {}",
                            rank(), size(), other, size() - 1));
  };
  for (const Outgoing& send : sends) require_other(send.to);
  for (const Incoming& receive : receives) require_other(receive.from);
  if (sends.empty() && receives.empty()) return;
  DoExchange(sends, receives);
  for (const Outgoing& send : sends) {
    ++sent_.messages;
    sent_.bytes += static_cast<int64_t>(send.bytes.size());
  }
}

void Communicator::Send(int to, std::span<const std::byte> bytes) {
  const Outgoing send{to, bytes};
  Exchange({&send, 1}, {});
}

void Communicator::Receive(int from, std::span<std::byte> bytes) {
  const Incoming receive{from, bytes};
  Exchange({}, {&receive, 1});
}

void Communicator::Broadcast(int root, std::span<std::byte> bytes) {
  assert(root >= 0 && root < size());
  // Seen from the root, rank r gets the bytes from r without its lowest bit that is set, and passes them on below it.
  const int ranks = size(), relative = (rank() - root + ranks) % ranks;
  int bit = relative == 0 ? static_cast<int>(std::bit_ceil(static_cast<unsigned>(ranks))) : relative & -relative;
  if (relative != 0) Receive((relative - bit + root) % ranks, bytes);
  std::vector<Outgoing> sends;
  for (bit /= 2; bit > 0; bit /= 2) {
    if (relative + bit < ranks) sends.push_back({(relative + bit + root) % ranks, bytes});
  }
  Exchange(sends, {});
}

std::vector<std::vector<std::byte>> Communicator::Gather(int root, std::span<const std::byte> mine) {
  assert(root >= 0 && root < size());
  if (rank() != root) {
    const uint64_t count = mine.size();
    Send(root, BytesOf(count));
    Send(root, mine);
    return {};
  }
  const auto ranks = static_cast<size_t>(size());
  std::vector<uint64_t> counts(ranks);
  std::vector<std::vector<std::byte>> all(ranks);
  std::vector<Incoming> receives;
  for (int other = 0; other < size(); ++other) {
    if (other != root) {
      receives.push_back({other, std::as_writable_bytes(std::span(&counts[static_cast<size_t>(other)], 1))});
    }
  }
  Exchange({}, receives);
  for (Incoming& receive : receives) {
    std::vector<std::byte>& bytes = all[static_cast<size_t>(receive.from)];
    bytes.resize(counts[static_cast<size_t>(receive.from)]);
    receive.bytes = bytes;
  }
  Exchange({}, receives);
  all[static_cast<size_t>(root)].assign(mine.begin(), mine.end());
  return all;
}

void Communicator::AllGather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const size_t block = mine.size(), ranks = static_cast<size_t>(size()), own = static_cast<size_t>(rank());
  if (all.size() != block * ranks) {
    throw Error(
        fmt::format("AllGather: room for {} bytes, expected {} for each of {} ranks", all.size(), block, ranks));
  }
  // Block i belongs to rank (own + i) % ranks until the last line.
  std::vector<std::byte> blocks(all.size());
  std::copy(mine.begin(), mine.end(), blocks.begin());
  for (size_t have = 1; have < ranks; have *= 2) {
    const size_t more = std::min(have, ranks - have);
    const Outgoing send{static_cast<int>((own + ranks - have) % ranks), std::span(blocks).first(more * block)};
    const Incoming receive{static_cast<int>((own + have) % ranks),
                           std::span(blocks).subspan(have * block, more * block)};
    Exchange({&send, 1}, {&receive, 1});
  }
  std::rotate_copy(blocks.begin(), blocks.begin() + static_cast<ptrdiff_t>((ranks - own) % ranks * block), blocks.end(),
                   all.begin());
}

std::vector<std::vector<std::byte>> Communicator::AllGatherAnySize(std::span<const std::byte> mine) {
  const uint64_t count = mine.size();
  std::vector<uint64_t> counts(static_cast<size_t>(size()));
  AllGather(BytesOf(count), std::as_writable_bytes(std::span(counts)));
  const uint64_t most = *std::ranges::max_element(counts);
  std::vector<std::byte> padded(most), all(most * counts.size());
  std::ranges::copy(mine, padded.begin());
  AllGather(padded, all);
  std::vector<std::vector<std::byte>> result;
  for (size_t r = 0; r < counts.size(); ++r) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(r * most);
    result.emplace_back(begin, begin + static_cast<ptrdiff_t>(counts[r]));
  }
  return result;
}

void Communicator::Barrier() {
  std::vector<std::byte> all(static_cast<size_t>(size()));
  const std::array<std::byte, 1> mine{};
  AllGather(mine, all);
}

}  // namespace twofour::comm
