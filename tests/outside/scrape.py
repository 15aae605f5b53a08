"""Scrapes /metrics in every format and reads it with parsers that are not the implementation's."""

import gzip
import struct
import urllib.parse
import urllib.request
from collections import Counter

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

TYPES = {
    "text": ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
    "openmetrics": ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    "protobuf": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    ),
}


class Scrape:
    """One scrape: `samples` by name and labels, `exemplars` beside them, `wrong` what no scraper should meet."""

    def __init__(self, port, kind="text", compress=False, names=()):
        self.samples, self.exemplars, self.wrong = {}, [], []
        accept, wanted = TYPES[kind]
        query = urllib.parse.urlencode([("name[]", name) for name in names])
        address = f"http://127.0.0.1:{port}/metrics" + ("?" + query if query else "")
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if compress else "identity"}
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
            body = answer.read()
            content_type, encoding = answer.headers["Content-Type"], answer.headers["Content-Encoding"]
        if content_type != wanted:
            self.wrong.append(f"Content-Type is {content_type!r}, expected {wanted!r}")
        if (encoding == "gzip") != compress:
            self.wrong.append(f"Content-Encoding is {encoding!r}")
        if compress:
            body = gzip.decompress(body)
        if kind == "protobuf":
            self.read_protobuf(body)
        else:
            self.read_text(kind, body.decode("utf-8"))

    def read_text(self, kind, text):
        if kind == "openmetrics" and not text.endswith("# EOF\n"):
            self.wrong.append("OpenMetrics does not end with # EOF")
        seen = Counter()
        for family in (plain if kind == "text" else openmetrics)(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                seen[key] += 1
                self.samples[key] = sample.value
                if sample.exemplar:
                    self.exemplars.append((sample.name, sample.exemplar.labels, sample.exemplar.value))
        self.wrong += [f"the series {key} is there {times} times" for key, times in seen.items() if times > 1]

    def read_protobuf(self, body):
        at = 0
        while at < len(body):
            size, at = varint(body, at)
            self.family(message(body[at : at + size]))
            at += size

    def family(self, family):
        name, kind = family[1][0].decode(), family.get(3, [0])[0]
        for metric in map(message, family.get(4, [])):
            labels = dict(label_pair(pair) for pair in metric.get(1, []))
            if kind == 4:
                self.histogram(name, labels, message(metric[7][0]))
                continue
            value = message(metric[{0: 3, 1: 2, 3: 5}[kind]][0])
            self.add(name, labels, value.get(1, [0.0])[0])
            if kind == 0 and 2 in value:
                self.exemplar(name, value[2][0])

    def histogram(self, name, labels, histogram):
        count = float(histogram.get(1, [0])[0])
        self.add(name + "_count", labels, count)
        self.add(name + "_sum", labels, histogram.get(2, [0.0])[0])
        bounds = set()
        for bucket in map(message, histogram.get(3, [])):
            bound = bucket.get(2, [0.0])[0]
            bounds.add(bound)
            self.add(name + "_bucket", dict(labels, le=repr(bound)), float(bucket.get(1, [0])[0]))
            if 3 in bucket:
                self.exemplar(name + "_bucket", bucket[3][0])
        if float("inf") not in bounds:
            self.add(name + "_bucket", dict(labels, le="+Inf"), count)

    def add(self, name, labels, value):
        key = (name, frozenset(labels.items()))
        if key in self.samples:
            self.wrong.append(f"the series {key} is there twice")
        self.samples[key] = value

    def exemplar(self, name, body):
        exemplar = message(body)
        labels = dict(label_pair(pair) for pair in exemplar.get(1, []))
        self.exemplars.append((name, labels, exemplar.get(2, [0.0])[0]))

    def total(self, name, **labels):
        wanted = set(labels.items())
        return sum(value for (sample, have), value in self.samples.items() if sample == name and wanted <= have)


def varint(body, at):
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def message(body):
    """The fields of a protobuf message by number; each a list of numbers or bytes."""
    fields, at = {}, 0
    while at < len(body):
        key, at = varint(body, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(body, at)
        elif wire == 1:
            value, at = struct.unpack_from("<d", body, at)[0], at + 8
        elif wire == 2:
            size, at = varint(body, at)
            value, at = body[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire}")
        fields.setdefault(number, []).append(value)
    return fields


def label_pair(body):
    pair = message(body)
    return pair.get(1, [b""])[0].decode(), pair.get(2, [b""])[0].decode()
