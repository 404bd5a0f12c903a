#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "twofour/comm/communicator.h"

namespace twofour::test {

using Bytes = std::vector<std::byte>;

/// Bytes that differ from those of other ranks, and from those of other sizes.
inline Bytes BytesOfRank(int rank, size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(37 * static_cast<size_t>(rank) + 5 * i + size);
  return bytes;
}

inline void CheckExchange(comm::Communicator& ranks, size_t size) {
  if (ranks.size() == 1) return;
  // Around a ring in both directions, so two ranks meet twice.
  const int next = (ranks.rank() + 1) % ranks.size(), previous = (ranks.rank() + ranks.size() - 1) % ranks.size();
  const Bytes up = BytesOfRank(ranks.rank(), size), down = BytesOfRank(ranks.rank() + 100, size + 1);
  Bytes from_previous(size), from_next(size + 1);
  const comm::Outgoing sends[] = {{next, up}, {previous, down}};
  const comm::Incoming receives[] = {{previous, from_previous}, {next, from_next}};
  ranks.Exchange(sends, receives);
  EXPECT_EQ(from_previous, BytesOfRank(previous, size));
  EXPECT_EQ(from_next, BytesOfRank(next + 100, size + 1));
}

inline void CheckBroadcast(comm::Communicator& ranks, int root, size_t size) {
  Bytes bytes = BytesOfRank(ranks.rank(), size);
  ranks.Broadcast(root, bytes);
  EXPECT_EQ(bytes, BytesOfRank(root, size)) << "root " << root;
}

inline void CheckGather(comm::Communicator& ranks, int root, size_t size) {
  const auto size_of = [&](int rank) { return size * static_cast<size_t>(rank); };
  const std::vector<Bytes> all = ranks.Gather(root, BytesOfRank(ranks.rank(), size_of(ranks.rank())));
  std::vector<Bytes> expected;
  if (ranks.rank() == root) {
    for (int rank = 0; rank < ranks.size(); ++rank) expected.push_back(BytesOfRank(rank, size_of(rank)));
  }
  EXPECT_EQ(all, expected) << "root " << root;
}

inline void CheckAllGather(comm::Communicator& ranks, size_t size) {
  Bytes all(size * static_cast<size_t>(ranks.size())), expected;
  ranks.AllGather(BytesOfRank(ranks.rank(), size), all);
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const Bytes bytes = BytesOfRank(rank, size);
    expected.insert(expected.end(), bytes.begin(), bytes.end());
  }
  EXPECT_EQ(all, expected);
}

inline void CheckAllGatherAnySize(comm::Communicator& ranks, size_t size) {
  const auto size_of = [&](int rank) { return size * static_cast<size_t>(ranks.size() - 1 - rank); };
  const std::vector<Bytes> all = ranks.AllGatherAnySize(BytesOfRank(ranks.rank(), size_of(ranks.rank())));
  ASSERT_EQ(all.size(), static_cast<size_t>(ranks.size()));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    EXPECT_EQ(all[static_cast<size_t>(rank)], BytesOfRank(rank, size_of(rank)));
  }
}

/// Every collective, with every root, on ranks that all call this.
inline void CheckCollectives(comm::Communicator& ranks) {
  for (const size_t size : {0, 1, 7, 300}) {
    CheckExchange(ranks, size);
    for (int root = 0; root < ranks.size(); ++root) {
      CheckBroadcast(ranks, root, size);
      CheckGather(ranks, root, size);
    }
    CheckAllGather(ranks, size);
    CheckAllGatherAnySize(ranks, size);
    ranks.Barrier();
  }
}

}  // namespace twofour::test
