#pragma once

#include <cstdint>

struct seccomp_notif;

namespace botburrow::sandbox::init {

/// What keeps programs in where there are no namespaces: rules on files, a filter of system calls,
/// and us, who decide about each connection and each signal.
class Keeper {
 public:
  /// `keep FILTER_FD {r|w PATH}...`: programs may read and start what lies in `r`, and do anything
  /// in `w`. Takes the arguments after `keep` and opens all it will need. Negative: an exit code
  /// with its sign turned, and a line on stderr.
  static int prepare(int argc, char** argv, Keeper& keeper);

  /// In a child, right before it becomes its program: from here on it is kept. The descriptor that
  /// its system calls are asked about on goes to the parent. False: errno.
  bool confine_self() const;
  /// In the parent, once a child was confined: where its questions come from; negative: none.
  int take_questions();

  /// Answers one question: a connection, whatever its address, becomes one to `port` of
  /// 127.0.0.1, made by us, in the place of the socket that asked; a signal goes only to what
  /// descends from us.
  void answer(int questions, int port);
  /// Whether a connection from this port was made by answer(): nobody else may use the bridge.
  bool made_by_us(std::uint16_t port);

 private:
  int connect_for(int questions, const seccomp_notif& question, int port);

  int ruleset_ = -1;
  void* filter_ = nullptr;
  unsigned short filter_count_ = 0;
  int pass_to_parent_ = -1;
  int pass_from_child_ = -1;
  static constexpr int kPortsMax = 256;
  std::uint16_t ports_[kPortsMax] = {};
  int next_port_ = 0;
};

}  // namespace botburrow::sandbox::init
