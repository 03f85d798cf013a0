// Subscribes to an NTNDArray (EPICS normative types) with pvxs and says what each update holds; sets variables. See
// plugin.h.
#include "plugin.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include <pvxs/client.h>

namespace {

using pvxs::TypeCode;
using pvxs::Value;

// Attributes that are looked at; detectors have some dozens.
constexpr size_t attributes_max = 1024;

void copy_text(const std::string &from, char *text, size_t size) { std::snprintf(text, size, "%s", from.c_str()); }

slipring_pva_pixel pixel_of(pvxs::ArrayType type) {
  switch (type) {
    case pvxs::ArrayType::Int8: return SLIPRING_PVA_INT8;
    case pvxs::ArrayType::Int16: return SLIPRING_PVA_INT16;
    case pvxs::ArrayType::Int32: return SLIPRING_PVA_INT32;
    case pvxs::ArrayType::Int64: return SLIPRING_PVA_INT64;
    case pvxs::ArrayType::UInt8: return SLIPRING_PVA_UINT8;
    case pvxs::ArrayType::UInt16: return SLIPRING_PVA_UINT16;
    case pvxs::ArrayType::UInt32: return SLIPRING_PVA_UINT32;
    case pvxs::ArrayType::UInt64: return SLIPRING_PVA_UINT64;
    case pvxs::ArrayType::Float32: return SLIPRING_PVA_FLOAT32;
    case pvxs::ArrayType::Float64: return SLIPRING_PVA_FLOAT64;
    default: return SLIPRING_PVA_NONE;
  }
}

// The number that a field holds, itself or in a member `value`, as some senders put it into a variant.
slipring_pva_number number_of(const Value &field) {
  slipring_pva_number number = {0, 0};
  if (!field.valid()) return number;
  Value held = field;
  if (held.type() == TypeCode::Any || held.type() == TypeCode::Union) {
    held = held["->"];
    if (!held.valid()) return number;
  }
  if (held.type() == TypeCode::Struct) held = held["value"];
  number.state = held.valid() && held.as(number.value) ? 1 : -1;
  return number;
}

// The text that such a field holds; empty for none.
std::string text_of(const Value &field) {
  std::string text;
  Value held = field;
  if (held.valid() && (held.type() == TypeCode::Any || held.type() == TypeCode::Union)) held = held["->"];
  if (held.valid() && held.type() == TypeCode::Struct) held = held["value"];
  if (held.valid()) held.as(text);
  return text;
}

slipring_pva_number time_of(const Value &stamp) {
  slipring_pva_number seconds = number_of(stamp["secondsPastEpoch"]);
  const slipring_pva_number nanoseconds = number_of(stamp["nanoseconds"]);
  if (seconds.state != 1 || seconds.value <= 0) return {0, 0};
  if (nanoseconds.state == 1) seconds.value += nanoseconds.value * 1e-9;
  return seconds;
}

class Channel {
public:
  Channel(const char *name, uint32_t queue) : context(pvxs::client::Config::fromEnv().build()) {
    // As text: servers of pvDatabase take nothing else, and hold two updates instead.
    subscription = context.monitor(name)
                       .record("queueSize", std::to_string(queue))
                       .maskConnected(false)
                       .maskDisconnected(false)
                       .event([this](pvxs::client::Subscription &) { wake(); })
                       .exec();
  }

  ~Channel() {
    // First the subscription, whose callback holds `this`; it waits for one that runs.
    subscription.reset();
    context.close();
  }

  slipring_pva_step next(std::chrono::milliseconds timeout, slipring_pva_image *image, std::string &text) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    pixels = {};
    update = Value();
    while (true) {
      {
        std::lock_guard<std::mutex> guard(lock);
        is_awake = false;
      }
      const slipring_pva_step step = take(image, text);
      if (step != SLIPRING_PVA_NOTHING) return step;
      std::unique_lock<std::mutex> guard(lock);
      if (!changed.wait_until(guard, deadline, [this] { return is_awake; })) return SLIPRING_PVA_NOTHING;
    }
  }

private:
  void wake() {
    {
      std::lock_guard<std::mutex> guard(lock);
      is_awake = true;
    }
    changed.notify_one();
  }

  slipring_pva_step take(slipring_pva_image *image, std::string &text) {
    try {
      update = subscription->pop();
    } catch (pvxs::client::Connected &connected) {
      text = connected.peerName;
      return SLIPRING_PVA_CONNECTED;
    } catch (pvxs::client::Finished &) {
      return SLIPRING_PVA_FINISHED;
    } catch (pvxs::client::Disconnect &) {
      return SLIPRING_PVA_DISCONNECTED;
    } catch (std::exception &error) {
      text = error.what();
      return SLIPRING_PVA_FAILED;
    }
    if (!update.valid()) return SLIPRING_PVA_NOTHING;
    return describe(image) ? SLIPRING_PVA_IMAGE : SLIPRING_PVA_OTHER;
  }

  // False for a structure that is no NTNDArray.
  bool describe(slipring_pva_image *image) {
    *image = {};
    if (update.type() != TypeCode::Struct || !update["uniqueId"].as(image->number)) return false;
    if (update["value"].type() != TypeCode::Union || update["dimension"].type() != TypeCode::StructA) return false;
    describe_dimensions(image);
    describe_pixels(image);
    std::string codec;
    update["codec.name"].as(codec);
    copy_text(codec, image->codec, sizeof image->codec);
    image->codec_parameter = number_of(update["codec.parameters"]);
    image->timestamp = time_of(update["dataTimeStamp"]);
    if (image->timestamp.state != 1) image->timestamp = time_of(update["timeStamp"]);
    describe_attributes(image);
    return true;
  }

  void describe_dimensions(slipring_pva_image *image) {
    pvxs::shared_array<const Value> dimensions;
    update["dimension"].as(dimensions);
    image->dimension_count = dimensions.size();
    for (size_t axis = 0; axis < dimensions.size() && axis < SLIPRING_PVA_DIMENSIONS; axis++) {
      if (!dimensions[axis]["size"].as(image->dimensions[axis])) image->dimensions[axis] = -1;
    }
  }

  void describe_pixels(slipring_pva_image *image) {
    const Value held = update["value->"];
    if (!held.valid() || !held.type().isarray() || !held.as(pixels)) return;
    image->pixel = pixel_of(pixels.original_type());
    if (image->pixel == SLIPRING_PVA_NONE) return;
    image->bytes = pixels.data();
    image->byte_count = pixels.size() * held.type().size();
  }

  void describe_attributes(slipring_pva_image *image) {
    pvxs::shared_array<const Value> attributes;
    update["attribute"].as(attributes);
    for (size_t index = 0; index < attributes.size() && index < attributes_max; index++) {
      std::string name;
      if (!attributes[index]["name"].as(name)) continue;
      const Value value = attributes[index]["value"];
      if (name == "theta") image->theta = number_of(value);
      if (name == "image_key") image->image_key = number_of(value);
      if (name == "projections") image->projections = number_of(value);
      if (name == "flats") image->flats = number_of(value);
      if (name == "darks") image->darks = number_of(value);
      if (name == "sample") copy_text(text_of(value), image->sample, sizeof image->sample);
    }
  }

  std::mutex lock;
  std::condition_variable changed;
  bool is_awake = false;
  pvxs::client::Context context;
  std::shared_ptr<pvxs::client::Subscription> subscription;
  Value update;
  pvxs::shared_array<const void> pixels;
};

const char *library() { return pvxs::version_abi_check() ? pvxs::version_str() : nullptr; }

// No exception leaves these: what calls them is not C++.
slipring_pva_channel *open_channel(const char *name, uint32_t queue, char *text, uint64_t text_size) {
  try {
    return reinterpret_cast<slipring_pva_channel *>(new Channel(name, queue));
  } catch (std::exception &error) {
    copy_text(error.what(), text, text_size);
    return nullptr;
  }
}

slipring_pva_step next_step(
    slipring_pva_channel *channel, uint32_t milliseconds, slipring_pva_image *image, char *text, uint64_t text_size) {
  std::string words;
  slipring_pva_step step;
  try {
    step = reinterpret_cast<Channel *>(channel)->next(std::chrono::milliseconds(milliseconds), image, words);
  } catch (std::exception &error) {
    words = error.what();
    step = SLIPRING_PVA_OTHER;
  }
  copy_text(words, text, text_size);
  return step;
}

void close_channel(slipring_pva_channel *channel) {
  try {
    delete reinterpret_cast<Channel *>(channel);
  } catch (std::exception &) {
    // It is gone as far as it can be.
  }
}

int32_t put_number(const char *name, const char *number, uint32_t milliseconds, char *text, uint64_t text_size) {
  try {
    const std::string wanted = number ? number : "";
    pvxs::client::Context context(pvxs::client::Config::fromEnv().build());
    if (!number) {
      context.info(name).exec()->wait(milliseconds * 1e-3);
      return 0;
    }
    context.put(name)
        .build([&wanted](Value &&present) {
          Value changed = present.cloneEmpty();
          Value field = changed["value"];
          if (field.type() == TypeCode::Struct) field = field["index"];
          field.from(wanted);
          return changed;
        })
        .exec()
        ->wait(milliseconds * 1e-3);
    return 0;
  } catch (std::exception &error) {
    copy_text(error.what(), text, text_size);
    return -1;
  }
}

const slipring_pva_functions functions = {
    SLIPRING_PVA_VERSION, library, open_channel, next_step, close_channel, put_number};

}  // namespace

extern "C" __attribute__((visibility("default"))) const slipring_pva_functions *slipring_pva(void) {
  return &functions;
}
