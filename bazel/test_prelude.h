#ifndef PURSER_BAZEL_TEST_PRELUDE_H_
#define PURSER_BAZEL_TEST_PRELUDE_H_

// prelude.h for tests.

#include "bazel/prelude.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#endif  // PURSER_BAZEL_TEST_PRELUDE_H_
