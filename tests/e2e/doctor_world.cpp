#include "doctor_world.hpp"

#include <fmt/format.h>

namespace botburrow::e2e {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void DoctorWorld::SetUp() {
  use_model();
  start_hub();
  define_agent("anna");
  register_agent("anna");
}

void DoctorWorld::await_ready(Program& service) {
  eventually("it is ready", [&] { return get(url_of(service) + "/ready").status == 200; });
}

void DoctorWorld::start_services(const std::string& mode, Variables of_runner) {
  coordinator_ = &start({"coordinator"});
  runner_ = &start({"runner", "--mode", mode}, std::move(of_runner));
  await_ready(*coordinator_);
  await_ready(*runner_);
  eventually("a generation has begun", [&] { return cli_line({"GET", "work:generation"}) != ""; });
  eventually("the runner has a heartbeat",
             [&] { return !cli({"KEYS", "runner:heartbeat:*"}).empty(); });
}

Ran DoctorWorld::doctor(Variables more, Words words) {
  words.insert(words.begin(), {"doctor", "--json"});
  if (coordinator_ != nullptr) words.insert(words.end(), {"--coordinator", url_of(*coordinator_)});
  if (runner_ != nullptr) words.insert(words.end(), {"--runner", url_of(*runner_)});
  // Whatever hangs, it ends by itself well before this.
  return run(std::move(words), std::move(more), 25s);
}

std::vector<std::string> DoctorWorld::faults_of(const Ran& ran) {
  std::vector<std::string> ids;
  const auto document = ran.json();
  for (const auto& check : document.at("checks").as_array()) {
    if (text_of(check, "result") != "fail") continue;
    ids.push_back(text_of(check, "id"));
    EXPECT_THAT(text_of(check, "cause"), testing::Not(IsEmpty()));
    EXPECT_THAT(text_of(check, "cure"), testing::Not(IsEmpty()));
  }
  return ids;
}

void DoctorWorld::expect_fault(const std::string& id, Variables more, Words words) {
  const auto ran = doctor(std::move(more), std::move(words));
  EXPECT_EQ(ran.code, 1) << ran.out << ran.err;
  EXPECT_THAT(faults_of(ran), ElementsAre(id)) << ran.out;
}

void DoctorWorld::await_fault(const std::string& id, Variables more, Words words) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (faults_of(doctor(more, words)) != std::vector{id} &&
         std::chrono::steady_clock::now() < end) {
  }
  expect_fault(id, std::move(more), std::move(words));
}

void DoctorWorld::expect_all_well() {
  const auto ran = doctor();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(faults_of(ran), IsEmpty()) << ran.out;
}

void DoctorWorld::await_all_well() {
  eventually("all is well again", [&] { return doctor().code == 0; }, 60s);
}

Ran DoctorWorld::doctor_after(const std::string& commands) {
  return run_other("/bin/sh", {"-c", commands + "; exec \"$0\" doctor --json", program_path()});
}

std::string DoctorWorld::nobody_listens() {
  return fmt::format("127.0.0.1:{}", closed_port(io_));
}

}  // namespace botburrow::e2e
