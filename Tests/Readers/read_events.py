"""Reads what a run has sent to Kafka, with confluent-kafka, and asks for its end.

read_events.py BROKER PREFIX LOG [--finalize TOPIC]

LOG gets a line of JSON for each record: topic, key, headers and value. With `--finalize` a command for another run, one
that is none, and one to finalize this run go to that topic when three records of status have come. Ends after the
record of `runs` that says `ended`, and a second without another one.
"""

import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

broker, prefix, log = sys.argv[1:4]
commands = sys.argv[5] if sys.argv[4:5] == ["--finalize"] else None
topics = [f"{prefix}.{name}" for name in ("runs", "scores", "status", "losses", "alarms")]
consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader", "enable.auto.commit": False, "log_level": 0})
consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])
deadline, ended, statuses = time.monotonic() + 60, None, 0
with open(log, "w") as lines:
    while time.monotonic() < deadline and (ended is None or time.monotonic() < ended + 1):
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        value = json.loads(message.value())
        headers = {name: text.decode() for name, text in message.headers() or []}
        record = {"topic": message.topic(), "key": message.key().decode(), "headers": headers, "value": value}
        lines.write(json.dumps(record) + "\n")
        lines.flush()
        if value["body"].get("event") == "ended":
            ended = time.monotonic()
        statuses += value["topic"] == "status"
        if commands and statuses == 3:
            producer = Producer({"bootstrap.servers": broker, "log_level": 0})
            for text in (
                json.dumps({"run": "0" * 32, "command": "abort", "by": "nobody"}),
                json.dumps({"run": value["run"], "command": "retain", "by": "nobody"}), "finalize",
                json.dumps({"run": value["run"], "command": "finalize", "by": "anna"}),
            ):
                producer.produce(commands, text)
            producer.flush(10)
            commands = None
sys.exit(0 if ended else 1)
