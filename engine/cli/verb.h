#ifndef PURSER_ENGINE_CLI_VERB_H_
#define PURSER_ENGINE_CLI_VERB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace purser::cli {

// An option of a verb, as it stands on the command line. CLI11 reads it, and is not included here: it takes
// longer to compile than most verbs.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required();
  Option Between(double low, double high);
  Option OneOf(const std::vector<std::string>& values);
  Option TakesMany();    // Every word up to the next option is a value: --prices A B.
  Option ShowDefault();  // In the help: the value that the variable has already.
  Option Needs(Option other);
  Option Excludes(Option other);

 private:
  CLI::Option* option_;
};

// A verb: its options, its help, and what it does.
class Verb {
 public:
  explicit Verb(CLI::App* app) : app_(app) {}

  // A verb below this one, as `verify` is below `ledger`. One of them has to be given.
  Verb AddVerb(const std::string& name, const std::string& description);

  // `name` is "--prices" for an option, "LEDGER" for a word that stands by itself. `value` must live until
  // Run's function has run.
  Option Add(const std::string& name, std::string* value, const std::string& help);
  Option Add(const std::string& name, std::vector<std::string>* value, const std::string& help);
  Option Add(const std::string& name, int* value, const std::string& help);
  Option Add(const std::string& name, int64_t* value, const std::string& help);
  Option Add(const std::string& name, uint64_t* value, const std::string& help);
  Option Add(const std::string& name, double* value, const std::string& help);
  Option AddFlag(const std::string& name, bool* value, const std::string& help);

  void Footer(const std::string& text);

  // Does the work. It ends by Fail() or Leave() if that failed.
  void Run(std::function<void()> work);

 private:
  CLI::App* app_;
};

// Leaves the verb that runs, with this exit code.
[[noreturn]] void Leave(int exit_code);

// Prints "purser VERB: message" to standard error and leaves with exit code 1. The message says what to do
// about it.
[[noreturn]] void Fail(std::string_view verb, std::string_view message);

}  // namespace purser::cli

#endif  // PURSER_ENGINE_CLI_VERB_H_
