#include "twofour/comm/mpi_communicator.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <exception>
#include <thread>

#include "twofour/comm/exchange_error.h"
#include "twofour/comm/rank_timeout.h"
#include "twofour/core/clock.h"

namespace twofour::comm {
namespace {

// What the tag of a piece says: whether more pieces of the message follow. So a message with too many or too few pieces
// is noticed at once.
constexpr int kLastPiece = 0, kMoreFollows = 1;

void Require(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(fmt::format("{}: {}", call, text.data()), ErrorKind::kRuntimeFailure);
}

/// Starts MPI unless it runs. Returns whether this call did.
bool StartMpi() {
  int flag = 0;
  Require(MPI_Finalized(&flag), "MPI_Finalized");
  if (flag != 0) throw Error("MPI has ended in this process and cannot start again", ErrorKind::kRuntimeFailure);
  Require(MPI_Initialized(&flag), "MPI_Initialized");
  int level = MPI_THREAD_SINGLE;
  if (flag != 0) {
    Require(MPI_Query_thread(&level), "MPI_Query_thread");
  } else {
    Require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "MPI_Init_thread");
  }
  if (level < MPI_THREAD_SERIALIZED) {
    throw Error(fmt::format("MPI's support of threads is of level {}, expected at least {} (MPI_THREAD_SERIALIZED)",
                            level, static_cast<int>(MPI_THREAD_SERIALIZED)),
                ErrorKind::kRuntimeFailure);
  }
  return flag == 0;
}

/// The requests of one exchange, with what each of them moves.
class Pieces {
 public:
  struct Piece {
    int other;
    bool incoming, last;
    size_t bytes, offset, message_bytes;
  };

  Pieces(MPI_Comm communicator, size_t piece_bytes) : communicator_(communicator), piece_bytes_(piece_bytes) {}
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;
  /// After an error the room for incoming bytes goes away, so nothing may arrive there any more.
  ~Pieces() {
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      if (pieces_[i].incoming) MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
  }

  void Post(const Incoming& message) {
    Cut(message.from, true, message.bytes.size(), [&](const Piece& piece, MPI_Request* request) {
      Require(MPI_Irecv(message.bytes.data() + piece.offset, static_cast<int>(piece.bytes), MPI_BYTE, piece.other,
                        MPI_ANY_TAG, communicator_, request),
              "MPI_Irecv");
    });
  }
  void Post(const Outgoing& message) {
    Cut(message.to, false, message.bytes.size(), [&](const Piece& piece, MPI_Request* request) {
      Require(MPI_Isend(message.bytes.data() + piece.offset, static_cast<int>(piece.bytes), MPI_BYTE, piece.other,
                        piece.last ? kLastPiece : kMoreFollows, communicator_, request),
              "MPI_Isend");
    });
  }

  /// Calls `on_done(piece, status, whether it failed)` for all that have moved since the last call. Returns how many.
  template <typename OnDone>
  int Test(const OnDone& on_done) {
    indices_.resize(requests_.size());
    statuses_.resize(requests_.size());
    int done = 0;
    const int code =
        MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &done, indices_.data(), statuses_.data());
    const bool some_failed = code == MPI_ERR_IN_STATUS;
    if (!some_failed) Require(code, "MPI_Testsome");
    if (done == MPI_UNDEFINED) done = 0;
    for (size_t i = 0; i < static_cast<size_t>(done); ++i) {
      // Only with MPI_ERR_IN_STATUS does MPI set the field.
      on_done(pieces_[static_cast<size_t>(indices_[i])], statuses_[i],
              some_failed ? statuses_[i].MPI_ERROR : MPI_SUCCESS);
    }
    return done;
  }

  size_t count() const { return pieces_.size(); }
  /// The other rank of the first piece that has not moved.
  int FirstMissing() const {
    const auto waiting = [](MPI_Request request) { return request != MPI_REQUEST_NULL; };
    return pieces_[static_cast<size_t>(std::ranges::find_if(requests_, waiting) - requests_.begin())].other;
  }

 private:
  template <typename PostPiece>
  void Cut(int other, bool incoming, size_t message_bytes, const PostPiece& post) {
    size_t offset = 0;
    do {
      const size_t bytes = std::min(piece_bytes_, message_bytes - offset);
      pieces_.push_back({other, incoming, offset + bytes == message_bytes, bytes, offset, message_bytes});
      requests_.push_back(MPI_REQUEST_NULL);
      post(pieces_.back(), &requests_.back());
      offset += bytes;
    } while (offset < message_bytes);
  }

  MPI_Comm communicator_;
  size_t piece_bytes_;
  std::vector<Piece> pieces_;
  std::vector<MPI_Request> requests_;
  std::vector<int> indices_;
  std::vector<MPI_Status> statuses_;
};

/// Waits a little, and longer as time goes by: ranks may outnumber processors, so none may spin while others compute.
class Pause {
 public:
  void operator()(int64_t waited_nanoseconds) {
    if (waited_nanoseconds < 1'000'000) {
      sched_yield();
      return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(sleep_));
    sleep_ = std::min(2 * sleep_, 100);
  }

 private:
  int sleep_ = 1;
};

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(const MpiOptions& options)
      : options_(options), exceptions_at_start_(std::uncaught_exceptions()), started_mpi_(StartMpi()) {
    Require(MPI_Comm_dup(MPI_COMM_WORLD, &communicator_), "MPI_Comm_dup");
    Require(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    Require(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
    Require(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
    GatherHosts();
  }
  ~MpiCommunicator() override {
    if (failed_ || std::uncaught_exceptions() > exceptions_at_start_) return;
    MPI_Comm_free(&communicator_);
    if (started_mpi_) MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string HostOf(int rank) const override {
    return hosts_.empty() ? "machine unknown" : hosts_[static_cast<size_t>(rank)];
  }

  void Abort(int exit_code) override {
    failed_ = true;
    MPI_Abort(communicator_, exit_code);
  }

 protected:
  void DoExchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) override {
    if (failed_) throw Error("communicator: an exchange failed before this one", ErrorKind::kRuntimeFailure);
    failed_ = true;  // Until all has gone well.
    Pieces pieces(communicator_, options_.piece_bytes);
    for (const Incoming& receive : receives) pieces.Post(receive);
    for (const Outgoing& send : sends) pieces.Post(send);
    Wait(pieces);
    failed_ = false;
  }

 private:
  void GatherHosts() {
    std::array<char, MPI_MAX_PROCESSOR_NAME> mine{};
    int length = 0;
    Require(MPI_Get_processor_name(mine.data(), &length), "MPI_Get_processor_name");
    std::vector<char> all(mine.size() * static_cast<size_t>(size_));
    AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
    for (auto name = all.begin(); name != all.end(); name += MPI_MAX_PROCESSOR_NAME) {
      hosts_.emplace_back(name, std::find(name, name + MPI_MAX_PROCESSOR_NAME, '\0'));
    }
    ForgetTraffic();
  }

  void Wait(Pieces& pieces) const {
    const auto timeout = static_cast<int64_t>(options_.timeout_seconds * 1e9);
    const auto check = [this](const Pieces::Piece& piece, const MPI_Status& status, int error) {
      Check(piece, status, error);
    };
    Pause pause;
    int64_t last = Nanoseconds();
    for (size_t left = pieces.count(); left > 0;) {
      if (const int done = pieces.Test(check); done > 0) {
        left -= static_cast<size_t>(done);
        last = Nanoseconds();
        pause = Pause();
        continue;
      }
      const int64_t waited = Nanoseconds() - last;
      if (waited > timeout) {
        throw NoAnswerError(NameOf(pieces.FirstMissing()), options_.timeout_seconds,
                            "TWOFOUR_RANK_TIMEOUT (in seconds)");
      }
      pause(waited);
    }
  }

  void Check(const Pieces::Piece& piece, const MPI_Status& status, int error) const {
    int error_class = MPI_SUCCESS;
    MPI_Error_class(error, &error_class);
    const bool too_long = piece.incoming && error_class == MPI_ERR_TRUNCATE;
    if (!too_long) Require(error, piece.incoming ? "MPI_Irecv" : "MPI_Isend");
    if (!piece.incoming) return;
    int count = 0;
    Require(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
    const bool more_follows = status.MPI_TAG == kMoreFollows;
    auto bytes = static_cast<size_t>(std::max(count, 0));
    if (!too_long && bytes == piece.bytes && more_follows != piece.last) return;
    // MPI need not say how long a message was that it cut off.
    if (too_long) bytes = std::max(bytes, piece.bytes + 1);
    throw WrongSizeError(NameOf(piece.other), too_long || more_follows, piece.offset + bytes, piece.message_bytes);
  }

  MpiOptions options_;
  int exceptions_at_start_;
  bool started_mpi_;
  MPI_Comm communicator_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::vector<std::string> hosts_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Communicator> ConnectByMpi(const MpiOptions& options) {
  if (options.piece_bytes < 1 || options.piece_bytes > INT_MAX) {
    throw Error(fmt::format("MpiOptions: piece_bytes is {}, expected 1 to {}", options.piece_bytes, INT_MAX));
  }
  if (!(options.timeout_seconds > 0) || options.timeout_seconds > kMostTimeoutSeconds) {
    throw Error(fmt::format("MpiOptions: timeout_seconds is {:g}, expected above 0, at most {:g}",
                            options.timeout_seconds, kMostTimeoutSeconds));
  }
  return std::make_unique<MpiCommunicator>(options);
}

}  // namespace twofour::comm
