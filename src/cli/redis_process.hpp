#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "net/subprocess.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace botburrow::cli {

/// Why a redis-server ended, as far as its log and its volume tell.
struct RedisEnd {
  std::string cause;  ///< `disk_full`, `damaged_data` or `unknown`
  std::string error;  ///< the last line of its log that is a complaint; may be empty
  std::string fix;
};
/// `log_text`: what it logged since it was started. `bytes_free`: what its volume has left.
/// `stderr_text`: what it said before it had a log, or instead; its last line counts where the log
/// holds no complaint.
RedisEnd read_redis_end(std::string_view log_text, std::uintmax_t bytes_free,
                        std::string_view stderr_text = {});

/// The server to start: redis-server, else valkey-server, in the folders of `path` and then in
/// those that a system has. Throws Error{not_found} with the packages that hold one.
std::string find_redis_server(const std::string& path);

/// The private Redis of `up`: append-only, every write on the disk before it is acknowledged, on a
/// Unix socket that only this user can reach. Dies with this process; started again with back-off
/// when it dies alone (`redis_exited` says why, as far as its log tells); one that was left over on
/// the socket is shut down first.
class RedisProcess {
 public:
  struct Options {
    std::string path;  ///< PATH of whoever started us
    bool folder_stays =
        true;  ///< false: removed at the end, so that its log is no use in a message
  };
  /// `folder` is the data folder, which this process has locked.
  RedisProcess(boost::asio::any_io_executor executor, std::string folder, Random& random, Log log,
               Options options);
  ~RedisProcess();

  /// Returns when the server answers. Throws Error{not_found} where there is no redis-server, and
  /// Error{io} with its last complaint and the name of its log where it ends at its start again and
  /// again, or does not come up within a minute.
  Task<> start();
  Task<> stop();
  std::string url() const { return "unix://" + socket_; }

 private:
  void spawn();
  Task<> hear(std::shared_ptr<net::Process> process);
  Task<> hear_out();
  std::string why_not_up(const std::string& trouble) const;
  Task<> supervise();
  Task<> shut_down_left_over();
  Task<> wait_until_ready();
  RedisEnd last_end() const;
  std::string log_file() const;

  boost::asio::any_io_executor executor_;
  std::string folder_;
  std::string socket_;
  Random& random_;
  Log log_;
  Options options_;
  std::string program_;
  bool stopping_ = false;
  int exits_ = 0;
  std::uintmax_t log_begin_ = 0;  // where the log of the running server begins
  std::string said_;              // the end of what the running server wrote to stderr
  bool heard_ = true;             // its stderr has ended
  net::ExitStatus last_status_;
  std::shared_ptr<net::Process> process_;
  TaskGroup tasks_;
};

/// The socket's path: DIR/redis.sock, or, where that is longer than the 107 bytes a socket address
/// holds, one in a private folder below `runtime_folder`, named by the data folder's hash.
std::string redis_socket_path(const std::string& data_folder, const std::string& runtime_folder);

}  // namespace botburrow::cli
