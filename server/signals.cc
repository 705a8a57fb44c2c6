#include "server/signals.h"

#include <pthread.h>
#include <signal.h>

#include <cstdlib>
#include <thread>
#include <utility>

#include "base/log.h"

namespace groupmamba {
namespace {

sigset_t WatchedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

const char* NameOf(int number) {
  switch (number) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    default:
      return "SIGHUP";
  }
}

}  // namespace

Signals* Signals::Watch() {
  const sigset_t signals = WatchedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A reader of our output that goes away must not take the server along.
  signal(SIGPIPE, SIG_IGN);
  auto* watch = new Signals;
  std::thread([watch] { watch->RunThread(); }).detach();
  return watch;
}

void Signals::BeginServing() {
  MutexLock lock(&mutex_);
  serving_ = true;
}

void Signals::AwaitFirst() {
  MutexLock lock(&mutex_);
  while (!received_) changed_.Wait(&mutex_);
}

void Signals::EndWait() {
  MutexLock lock(&mutex_);
  received_ = true;
  changed_.NotifyAll();
}

void Signals::OnFurther(std::function<void()> callback) {
  MutexLock lock(&mutex_);
  further_ = std::move(callback);
}

void Signals::OnHangup(std::function<void()> callback) {
  MutexLock lock(&mutex_);
  hangup_ = std::move(callback);
}

void Signals::RunThread() {
  const sigset_t signals = WatchedSignals();
  while (true) {
    int number = 0;
    sigwait(&signals, &number);
    Log(LogLevel::kInfo, "signal", {{"name", NameOf(number)}});
    MutexLock lock(&mutex_);
    if (number == SIGHUP) {
      if (hangup_ != nullptr) hangup_();
      continue;
    }
    if (!serving_) std::_Exit(0);
    if (received_ && further_ != nullptr) further_();
    received_ = true;
    changed_.NotifyAll();
  }
}

}  // namespace groupmamba
