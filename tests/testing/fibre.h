// Cooperative threads of execution with stacks of their own, cheap enough to
// have a thousand of: switching is a dozen instructions on x86-64, and ucontext
// elsewhere. Known to the address and thread sanitizers.
//
// Thread-safety: a fibre is resumed by the thread that made it.
#ifndef GROUPMAMBA_TESTS_TESTING_FIBRE_H_
#define GROUPMAMBA_TESTS_TESTING_FIBRE_H_

#include <cstddef>
#include <functional>
#include <memory>

namespace groupmamba::testing {

class Fibre {
 public:
  // `body` runs at the first Resume and must not return: it may end by yielding
  // for ever. Nothing on its stack is destroyed with the fibre.
  explicit Fibre(std::function<void()> body);
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // Runs it until it yields. Not from within a fibre.
  void Resume();
  // From within the fibre: back to where it was resumed.
  void Yield();

 private:
  struct State;
  static void Enter();

  std::unique_ptr<State> state_;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_FIBRE_H_
