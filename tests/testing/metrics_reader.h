// Reads a server's metrics page as a plain HTTP client does.

#ifndef GROUPMAMBA_TESTS_TESTING_METRICS_READER_H_
#define GROUPMAMBA_TESTS_TESTING_METRICS_READER_H_

#include <string>

namespace groupmamba {

// The whole answer to GET /metrics on 127.0.0.1, headers and page; what came
// until then when the connection breaks.
std::string ReadMetricsPage(int port);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_METRICS_READER_H_
