#include "net/redis_faults.hpp"

#include "base/error.hpp"
#include "net/redis_stream.hpp"
#include "net/resp.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::net {
namespace {

struct Words {
  RedisFault fault;
  std::string_view name;
  std::string_view fix;
};

constexpr std::array kFaults = {
    Words{RedisFault::loading, "loading",
          "it still reads its data from the disk and is ready by itself in a while"},
    Words{RedisFault::read_only, "read_only",
          "it is a replica: point REDIS_URL at the primary, or at its sentinels "
          "(redis+sentinel://host:26379/NAME)"},
    Words{RedisFault::master_down, "master_down",
          "it is a replica that has lost its primary: point REDIS_URL at the primary, or at its "
          "sentinels (redis+sentinel://host:26379/NAME)"},
    Words{RedisFault::disk_full, "disk_full",
          "Redis cannot write to its disk and takes no changes: free space on its volume, or "
          "repair it; its own log says more"},
    Words{RedisFault::no_replicas, "no_replicas",
          "fewer replicas are attached than its min-replicas-to-write asks for: bring one back"},
    Words{RedisFault::out_of_memory, "out_of_memory",
          "raise maxmemory of the server, or remove what else is stored there"},
    Words{RedisFault::busy, "busy",
          "a script has held the server up for long: find whose it is, and end it with `redis-cli "
          "SCRIPT KILL`"},
    Words{RedisFault::no_script, "no_script", ""},
    Words{RedisFault::no_auth, "no_auth",
          "put user and password into REDIS_URL: redis://user:password@host:6379"},
    Words{RedisFault::wrong_password, "wrong_password", "check user and password in REDIS_URL"},
    Words{RedisFault::no_permission, "no_permission",
          "grant it to the user of REDIS_URL (redis-cli ACL SETUSER)"},
    Words{RedisFault::no_command, "no_command",
          "scripts (EVALSHA, SCRIPT LOAD) and the commands in them must be there: remove "
          "rename-command from the server's configuration, or use Redis 6.2 or later"},
    Words{RedisFault::cluster, "cluster",
          "Redis Cluster is not supported: use one primary, with replicas and sentinels if you "
          "like"},
    Words{RedisFault::max_clients, "max_clients",
          "raise maxclients of the server, or stop who holds too many connections"},
    Words{RedisFault::refused, "connection_refused",
          "start Redis, or correct host and port in REDIS_URL"},
    Words{RedisFault::timed_out, "time_out",
          "the server is held up, or a firewall swallows the way to it"},
    Words{RedisFault::name_unknown, "name_unknown", "correct the host's name in REDIS_URL"},
    Words{RedisFault::unreachable, "unreachable",
          "check the address in REDIS_URL, and the network"},
    Words{
        RedisFault::certificate, "certificate",
        "give the server a certificate for that name, signed by an authority this machine trusts"},
    Words{RedisFault::no_master, "no_master",
          "start the sentinels, or correct their addresses and the master's name in REDIS_URL"},
    Words{RedisFault::other, "other", ""},
};

const Words& words_of(RedisFault fault) {
  for (const auto& words : kFaults) {
    if (words.fault == fault) return words;
  }
  return kFaults.back();
}

RedisFault fault_of_system(const boost::system::error_code& code) {
  namespace e = boost::asio::error;
  if (code == e::connection_refused || code == boost::system::errc::no_such_file_or_directory)
    return RedisFault::refused;
  if (code == e::timed_out) return RedisFault::timed_out;
  if (code == e::network_unreachable || code == e::host_unreachable || code == e::network_down)
    return RedisFault::unreachable;
  return RedisFault::other;
}

RedisFault fault_of_error(const Error& error) {
  if (error.code() == errc::timeout) return RedisFault::timed_out;
  if (error.code() == errc::io) return RedisFault::name_unknown;
  if (error.detail() == kCertificateRefused) return RedisFault::certificate;
  if (error.detail() == kNoMaster) return RedisFault::no_master;
  return fault_of(error.detail());
}

}  // namespace

std::string_view name_of(RedisFault fault) {
  return words_of(fault).name;
}
std::string_view fix_for(RedisFault fault) {
  return words_of(fault).fix;
}

namespace {

/// Of commands alone only those of scripts: others are done without where a server lacks them.
bool lacks_command(std::string_view text) {
  if (text.find("Unknown Redis command called from") != std::string_view::npos) return true;
  constexpr std::string_view kUnknown = "ERR unknown command ";
  if (!text.starts_with(kUnknown)) return false;
  const auto name = text.substr(std::min(text.size(), kUnknown.size() + 1));  // after the quote
  return name.starts_with("EVAL") || name.starts_with("SCRIPT");
}

}  // namespace

RedisFault fault_of(std::string_view error_text) {
  const auto word = error_word(error_text);
  if (word == "LOADING") return RedisFault::loading;
  if (word == "MASTERDOWN") return RedisFault::master_down;
  if (word == "READONLY") return RedisFault::read_only;
  if (word == "MISCONF") return RedisFault::disk_full;
  if (word == "NOREPLICAS") return RedisFault::no_replicas;
  if (word == "OOM") return RedisFault::out_of_memory;
  if (word == "BUSY") return RedisFault::busy;
  if (word == "NOSCRIPT") return RedisFault::no_script;
  if (word == "NOAUTH") return RedisFault::no_auth;
  if (word == "WRONGPASS") return RedisFault::wrong_password;
  if (word == "NOPERM") return RedisFault::no_permission;
  if (word == "MOVED" || word == "ASK" || word == "CLUSTERDOWN" || word == "CROSSSLOT" ||
      word == "TRYAGAIN")
    return RedisFault::cluster;
  if (word == kMaxClients || error_text.starts_with("ERR max number of clients"))
    return RedisFault::max_clients;
  if (lacks_command(error_text)) return RedisFault::no_command;
  return RedisFault::other;
}

FaultReaction reaction_to(RedisFault fault) {
  switch (fault) {
    case RedisFault::loading:
    case RedisFault::read_only:
    case RedisFault::master_down:
    case RedisFault::no_auth:
    case RedisFault::wrong_password:
    case RedisFault::cluster:
      return FaultReaction::reconnect;
    case RedisFault::disk_full:
    case RedisFault::no_replicas:
    case RedisFault::out_of_memory:
    case RedisFault::busy:
    case RedisFault::no_permission:
    case RedisFault::no_command:
      return FaultReaction::distrust;
    default:
      return FaultReaction::none;
  }
}

ConnectFailure explain_connect_failure(const std::exception_ptr& failure,
                                       std::chrono::nanoseconds patience) {
  ConnectFailure out{.reason = connect_reason(failure)};
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    out.fault = fault_of_error(error);
    out.word = error.detail();
    if (error.code() == errc::timeout) {
      out.reason =
          fmt::format("no answer within {} ms",
                      std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
    }
  } catch (const boost::system::system_error& error) {
    out.fault = fault_of_system(error.code());
  } catch (...) {
  }
  return out;
}

}  // namespace botburrow::net
