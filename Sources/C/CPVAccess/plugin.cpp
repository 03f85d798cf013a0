// Subscribes to an NTNDArray (EPICS normative types) with pvxs and says what each update holds; sets variables, and
// serves others. See plugin.h.
#include "plugin.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <pvxs/client.h>
#include <pvxs/nt.h>
#include <pvxs/server.h>
#include <pvxs/sharedpv.h>

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
      if (name == "energy") image->energy = number_of(value);
      if (name == "pixel_size") image->pixel_size = number_of(value);
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

class VariableServer {
public:
  VariableServer() : server(config().build()) { server.start(); }

  ~VariableServer() { server.stop(); }

  void add(const std::string &name, slipring_pva_kind kind, const std::string &choices) {
    Variable variable;
    variable.kind = kind;
    variable.type = prototype(kind);
    variable.held = kind == SLIPRING_PVA_COMMAND ? pvxs::server::SharedPV::buildMailbox()
                                                 : pvxs::server::SharedPV::buildReadonly();
    if (kind == SLIPRING_PVA_COMMAND) {
      if (is_served(name)) throw std::runtime_error("another program serves it; choose another name");
      variable.held.onPut([this, name](pvxs::server::SharedPV &held, std::unique_ptr<pvxs::server::ExecOp> &&operation,
                                       Value &&value) { command(name, held, *operation, value); });
    }
    Value first = variable.type.cloneEmpty();
    if (kind == SLIPRING_PVA_CHOICE) {
      std::vector<std::string> lines;
      for (size_t start = 0; start < choices.size();) {
        const size_t end = std::min(choices.find('\n', start), choices.size());
        lines.push_back(choices.substr(start, end - start));
        start = end + 1;
      }
      pvxs::shared_array<std::string> words(lines.begin(), lines.end());
      first["value.choices"] = words.freeze();
    }
    variable.held.open(first);
    server.addPV(name, variable.held);
    variables.emplace(name, variable);
  }

  void post_number(const std::string &name, double number) {
    Variable &variable = variables.at(name);
    Value value = variable.type.cloneEmpty();
    value[variable.kind == SLIPRING_PVA_CHOICE ? "value.index" : "value"] = number;
    post(variable, value);
  }

  void post_line(const std::string &name, const std::string &line) {
    Variable &variable = variables.at(name);
    Value value = variable.type.cloneEmpty();
    value["value"] = line;
    post(variable, value);
  }

  void post_picture(const std::string &name, const float *pixels, uint32_t columns, uint32_t rows, int64_t number) {
    Variable &variable = variables.at(name);
    const size_t count = size_t(columns) * rows;
    pvxs::shared_array<float> copy(count);
    std::copy(pixels, pixels + count, copy.begin());
    Value value = variable.type.cloneEmpty();
    value["value->floatValue"] = copy.freeze();
    pvxs::shared_array<Value> dimensions(2);
    for (size_t axis = 0; axis < 2; axis++) {
      const int32_t size = axis == 0 ? columns : rows;
      dimensions[axis] = value["dimension"].allocMember();
      dimensions[axis]["size"] = size;
      dimensions[axis]["fullSize"] = size;
      dimensions[axis]["binning"] = 1;
    }
    value["dimension"] = dimensions.freeze();
    // uniqueId has 31 bits for whoever takes it as a positive number.
    value["uniqueId"] = int32_t(number & 0x7fffffff);
    value["compressedSize"] = int64_t(count * sizeof(float));
    value["uncompressedSize"] = int64_t(count * sizeof(float));
    stamp(value["dataTimeStamp"]);
    post(variable, value);
  }

  bool take(int32_t *value, std::string &name, std::string &peer) {
    std::lock_guard<std::mutex> guard(lock);
    if (commands.empty()) return false;
    *value = commands.front().value;
    name = commands.front().name;
    peer = commands.front().peer;
    commands.pop_front();
    return true;
  }

private:
  struct Variable {
    slipring_pva_kind kind;
    Value type;
    pvxs::server::SharedPV held;
  };

  struct Command {
    std::string name, peer;
    int32_t value;
  };

  static pvxs::server::Config config() {
    pvxs::server::Config config = pvxs::server::Config::fromEnv();
    if (!std::getenv("EPICS_PVAS_INTF_ADDR_LIST")) {
      config.interfaces = {"127.0.0.1"};
      config.beaconDestinations = {"127.0.0.1"};
      config.auto_beacon = false;
    }
    return config;
  }

  // Whether somebody has a variable of this name, as far as a client here can find it in a second: who sets one that
  // is there twice does not know which.
  static bool is_served(const std::string &name) {
    pvxs::client::Config config = pvxs::client::Config::fromEnv();
    config.addressList.push_back("127.0.0.1");
    pvxs::client::Context context(config.build());
    try {
      context.info(name).exec()->wait(1.0);
      return true;
    } catch (pvxs::client::Timeout &) {
      return false;
    }
  }

  static Value prototype(slipring_pva_kind kind) {
    switch (kind) {
      case SLIPRING_PVA_NUMBER: return pvxs::nt::NTScalar{TypeCode::Float64}.create();
      case SLIPRING_PVA_COUNT: return pvxs::nt::NTScalar{TypeCode::Int64}.create();
      case SLIPRING_PVA_LINE: return pvxs::nt::NTScalar{TypeCode::String}.create();
      case SLIPRING_PVA_CHOICE: return pvxs::nt::NTEnum{}.create();
      case SLIPRING_PVA_PICTURE: return pvxs::nt::NTNDArray{}.create();
      case SLIPRING_PVA_COMMAND: return pvxs::nt::NTScalar{TypeCode::Int32}.create();
    }
    throw std::logic_error("there is no such kind of variable");
  }

  static void stamp(Value field) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
    field["secondsPastEpoch"] = int64_t(seconds.count());
    field["nanoseconds"] = int32_t(std::chrono::duration_cast<std::chrono::nanoseconds>(now - seconds).count());
  }

  static void post(Variable &variable, Value &value) {
    stamp(value["timeStamp"]);
    variable.held.post(value);
  }

  // On a thread of pvxs.
  void command(
      const std::string &name, pvxs::server::SharedPV &held, pvxs::server::ExecOp &operation, const Value &value) {
    int32_t number = 0;
    if (!value["value"].as(number)) return operation.error("a whole number is wanted");
    {
      std::lock_guard<std::mutex> guard(lock);
      // Of each variable one waits at most, so that nobody's zeros keep another's command away.
      const bool waits = std::any_of(
          commands.begin(), commands.end(), [&name](const Command &command) { return command.name == name; });
      if (number != 0 && !waits) commands.push_back({name, operation.peerName(), number});
    }
    held.post(value);
    operation.reply();
  }

  pvxs::server::Server server;
  std::map<std::string, Variable> variables;
  std::mutex lock;
  std::deque<Command> commands;
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

// What `body` does with the server. 0, or -1 with a line in `text` where it throws.
template <typename Body>
int32_t guarded(slipring_pva_server *server, char *text, uint64_t text_size, Body body) {
  try {
    body(*reinterpret_cast<VariableServer *>(server));
    return 0;
  } catch (std::exception &error) {
    copy_text(error.what(), text, text_size);
    return -1;
  }
}

slipring_pva_server *serve(char *text, uint64_t text_size) {
  try {
    return reinterpret_cast<slipring_pva_server *>(new VariableServer());
  } catch (std::exception &error) {
    copy_text(error.what(), text, text_size);
    return nullptr;
  }
}

int32_t add_variable(
    slipring_pva_server *server, const char *name, slipring_pva_kind kind, const char *choices, char *text,
    uint64_t text_size) {
  return guarded(server, text, text_size, [&](VariableServer &served) { served.add(name, kind, choices); });
}

int32_t post_number(slipring_pva_server *server, const char *name, double value, char *text, uint64_t text_size) {
  return guarded(server, text, text_size, [&](VariableServer &served) { served.post_number(name, value); });
}

int32_t post_line(slipring_pva_server *server, const char *name, const char *value, char *text, uint64_t text_size) {
  return guarded(server, text, text_size, [&](VariableServer &served) { served.post_line(name, value); });
}

int32_t post_picture(
    slipring_pva_server *server, const char *name, const float *pixels, uint32_t columns, uint32_t rows, int64_t number,
    char *text, uint64_t text_size) {
  return guarded(server, text, text_size, [&](VariableServer &served) {
    served.post_picture(name, pixels, columns, rows, number);
  });
}

int32_t take_command(
    slipring_pva_server *server, int32_t *value, char *name, uint64_t name_size, char *text, uint64_t text_size) {
  bool is_there = false;
  guarded(server, text, text_size, [&](VariableServer &served) {
    std::string command, peer;
    is_there = served.take(value, command, peer);
    copy_text(command, name, name_size);
    copy_text(peer, text, text_size);
  });
  return is_there ? 1 : 0;
}

void end_server(slipring_pva_server *server) {
  try {
    delete reinterpret_cast<VariableServer *>(server);
  } catch (std::exception &) {
    // It is gone as far as it can be.
  }
}

const slipring_pva_functions functions = {
    SLIPRING_PVA_VERSION, library, open_channel, next_step, close_channel, put_number, serve, add_variable,
    post_number, post_line, post_picture, take_command, end_server};

}  // namespace

extern "C" __attribute__((visibility("default"))) const slipring_pva_functions *slipring_pva(void) {
  return &functions;
}
