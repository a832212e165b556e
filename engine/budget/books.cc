#include "engine/budget/books.h"

namespace purser::budget {

void Books::UnpinAndUnlock(Account& account, AccountRef ref) {
  --account.pins;
  const bool forget = account.ended && account.pins == 0;
  account.lock.unlock();
  if (forget) Forget(ref, [](const Account& a) { return a.ended; });
}

}  // namespace purser::budget
