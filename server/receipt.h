// Where a request's time went.

#ifndef GROUPMAMBA_SERVER_RECEIPT_H_
#define GROUPMAMBA_SERVER_RECEIPT_H_

#include "base/clock.h"

namespace groupmamba {

// See Timing in proto/groupmamba/v1/classifier.proto.
struct Receipt {
  Duration decode = {};
  Duration queue = {};
  Duration batch_wait = {};
  Duration inference = {};
  Duration total = {};
  int batch_size = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_RECEIPT_H_
