#include "engine/cli/verb.h"

#include <cstdio>
#include <utility>

#include "CLI/CLI.hpp"

namespace purser::cli {

Option Option::Required() {
  option_->required();
  return *this;
}

Option Option::Between(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option Option::OneOf(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option Option::TakesMany() {
  option_->expected(1, -1);
  return *this;
}

Option Option::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Option Option::Needs(Option other) {
  option_->needs(other.option_);
  return *this;
}

Option Option::Excludes(Option other) {
  option_->excludes(other.option_);
  return *this;
}

Verb Verb::AddVerb(const std::string& name, const std::string& description) {
  app_->require_subcommand(1);
  return Verb(app_->add_subcommand(name, description));
}

Option Verb::Add(const std::string& name, std::string* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::Add(const std::string& name, std::vector<std::string>* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::Add(const std::string& name, int* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::Add(const std::string& name, int64_t* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::Add(const std::string& name, uint64_t* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::Add(const std::string& name, double* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Verb::AddFlag(const std::string& name, bool* value, const std::string& help) {
  return Option(app_->add_flag(name, *value, help));
}

void Verb::Footer(const std::string& text) { app_->footer(text); }

void Verb::Run(std::function<void()> work) { app_->callback(std::move(work)); }

void Leave(int exit_code) { throw CLI::RuntimeError(exit_code); }

void Fail(std::string_view verb, std::string_view message) {
  std::fflush(stdout);
  std::fprintf(stderr, "purser %.*s: %.*s\n", static_cast<int>(verb.size()), verb.data(),
               static_cast<int>(message.size()), message.data());
  Leave(1);
}

}  // namespace purser::cli
