#include "cache/labels.h"

namespace purser::cache {

Labels::~Labels() {
  for (const auto& [key, label] : labels_) delete label;
}

Label* Labels::Acquire(uint8_t kind, std::string_view text) {
  Label*& label = labels_[Key(kind, text)];
  if (label == nullptr) {
    label = new Label;
    label->kind = kind;
    label->text = std::string(text);
    bytes_ += 2 * label->bytes();  // Its key in the map too.
  }
  ++label->users;
  return label;
}

void Labels::Release(Label* label) {
  if (--label->users > 0) return;
  bytes_ -= 2 * label->bytes();
  labels_.erase(Key(label->kind, label->text));
  epochs_->Retire(label, label->bytes());
}

void Labels::Invalidate(uint8_t kind, std::string_view text, uint64_t generation) {
  Key key(kind, text);
  const auto label = labels_.find(key);
  if (label != labels_.end()) label->second->invalid_before.store(generation, std::memory_order_release);
  recent_[key] = generation;
  order_.emplace_back(std::move(key), generation);
  if (order_.size() <= kRemembered) return;
  const auto& [oldest, when] = order_.front();
  const auto found = recent_.find(oldest);
  if (found != recent_.end() && found->second == when) recent_.erase(found);
  forgotten_before_ = when;
  order_.pop_front();
}

bool Labels::Outdated(uint8_t kind, std::string_view text, uint64_t generation) const {
  const auto found = recent_.find(Key(kind, text));
  return found != recent_.end() && generation < found->second;
}

}  // namespace purser::cache
