//! What extensions learn of an environment's life in `foreword simulate`, by the Telemetry API and
//! by the Logs API.

use crate::support::Test;
use crate::tool_simulate::{outside, python, simulated};
use serde_json::{Value, json};
use std::fs;

/// An extension that subscribes with the request at `$OUT/request`, keeps what it gets in
/// `$OUT/events`, one event a line, and the answers to its subscriptions in `$OUT/answers`.
const SUBSCRIBER: &str = r##"#!/usr/bin/env python3
import http.server, json, os, socket, socketserver, sys, threading, urllib.error, urllib.request

api, out = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"], os.environ["OUT"]
lock = threading.Lock()

def keep(events):
    with lock, open(out + "/events", "a") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")

class Http(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.headers["Content-Type"] == "application/json"
        keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass

class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        keep(json.loads(line) for line in self.rfile)

is_tcp = os.environ.get("PROTOCOL") == "TCP"
host = "sandbox.localdomain"
server = socketserver.ThreadingTCPServer((host, 0), Tcp) if is_tcp else http.server.ThreadingHTTPServer((host, 0), Http)
threading.Thread(target=server.serve_forever, daemon=True).start()

def call(method, path, body=None, headers={}):
    request = urllib.request.Request(api + path, method=method, headers=headers)
    request.data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode(), answer.headers

name = os.path.basename(sys.argv[0])
_, _, headers = call("POST", "/2020-01-01/extension/register", {"events": ["SHUTDOWN"]}, {"Lambda-Extension-Name": name})
own = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
print("the extension says this", flush=True)
for path, request in json.load(open(out + "/requests")):
    text = json.dumps(request).replace("PORT", str(server.server_address[1]))
    status, answer, _ = call("PUT", path, json.loads(text), own)
    with open(out + "/answers", "a") as file:
        file.write("%d %s\n" % (status, answer))
call("GET", "/2020-01-01/extension/event/next", headers=own)
import time
time.sleep(0.3)
"##;

const HANDLER: &str =
    "def handler(event, context):\n    print('the handler says', event)\n    return event\n";

fn destination(protocol: &str) -> Value {
    let uri = match protocol {
        "TCP" => "tcp://sandbox.localdomain:PORT",
        _ => "http://sandbox.localdomain:PORT/events",
    };
    json!({"protocol": protocol, "URI": uri})
}

fn subscription(schema: &str, protocol: &str, types: &[&str]) -> Value {
    let buffering = json!({"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262_144});
    json!({"schemaVersion": schema, "types": types, "buffering": buffering,
        "destination": destination(protocol)})
}

/// The answers and the events of a simulation with a subscriber.
fn subscribed(test: Test, requests: &Value, status: i32) -> (Vec<String>, Vec<Value>) {
    let outside = outside();
    fs::write(outside.path().join("requests"), requests.to_string()).expect("unable to write");
    let test = test.file("app.py", HANDLER).script("layer/extensions/subscriber", SUBSCRIBER);
    let output = simulated(test.env("OUT", outside.path()), status);
    let read = |name: &str| fs::read_to_string(outside.path().join(name)).unwrap_or_default();
    let events = read("events");
    let events = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}: {output}")));
    (read("answers").lines().map(str::to_owned).collect(), events.collect())
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[test]
fn telemetry_of_an_on_demand_environment_comes_by_http() {
    let requests =
        json!([["/2022-07-01/telemetry", subscription("2022-12-13", "HTTP", &["platform"])]]);
    let test =
        python(&["--layer", "layer", "--event", "1", "--event", "\"two\"", "--memory", "256"]);
    let (answers, events) = subscribed(test, &requests, 0);
    assert_eq!(answers, ["200 \"OK\""]);
    assert_eq!(
        types(&events),
        [
            "platform.initStart",
            "platform.telemetrySubscription",
            "platform.extension",
            "platform.initRuntimeDone",
            "platform.initReport",
            "platform.start",
            "platform.runtimeDone",
            "platform.report",
            "platform.start",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    let record = |index: usize| &events[index]["record"];
    assert_eq!(record(0)["initializationType"], "on-demand");
    assert_eq!(record(0)["phase"], "init");
    assert_eq!(
        record(1),
        &json!({"name": "subscriber", "state": "Subscribed", "types": ["platform"]})
    );
    assert_eq!(record(2), &json!({"name": "subscriber", "state": "Ready", "events": ["SHUTDOWN"]}));
    assert_eq!(record(3)["status"], "success");
    assert!(record(4)["metrics"]["durationMs"].is_f64());
    let request = "00000000-0000-4000-8000-000000000001";
    assert_eq!(record(5), &json!({"requestId": request, "version": "$LATEST"}));
    assert_eq!(
        (&record(6)["requestId"], &record(6)["status"]),
        (&json!(request), &json!("success"))
    );
    assert_eq!(record(6)["metrics"]["producedBytes"], 1);
    assert_eq!(record(7)["metrics"]["memorySizeMB"], 256);
    assert!(record(7)["metrics"]["initDurationMs"].is_f64());
    assert!(record(10)["metrics"].get("initDurationMs").is_none());
    let time = events[0]["time"].as_str().expect("a time");
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
}

#[test]
fn telemetry_of_a_restored_environment_has_its_restore() {
    let requests =
        json!([["/2022-07-01/telemetry", subscription("2022-12-13", "HTTP", &["platform"])]]);
    let (_, events) = subscribed(python(&["--snap-start", "--layer", "layer"]), &requests, 0);
    let types = types(&events);
    let start = types.iter().position(|kind| *kind == "platform.restoreStart").expect("a restore");
    assert_eq!(
        types[start..],
        [
            "platform.restoreStart",
            "platform.restoreRuntimeDone",
            "platform.restoreReport",
            "platform.start",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    assert_eq!(events[start + 1]["record"], json!({"status": "success"}));
    assert!(events[start + 2]["record"]["metrics"]["durationMs"].is_f64());
    let metrics = &events[start + 5]["record"]["metrics"];
    assert!(
        metrics["restoreDurationMs"].is_f64() && metrics.get("initDurationMs").is_none(),
        "{metrics}"
    );
}

#[test]
fn lines_of_function_and_extension_have_their_types() {
    let requests = json!([[
        "/2022-07-01/telemetry/",
        subscription("2022-07-01", "HTTP", &["function", "extension"])
    ]]);
    let (_, events) = subscribed(python(&["--layer", "layer"]), &requests, 0);
    let of = |kind: &str, record: &str| {
        events.iter().any(|event| event["type"] == kind && event["record"] == record)
    };
    assert!(of("extension", "the extension says this"), "{events:?}");
    assert!(of("function", "the handler says {}"), "{events:?}");
    assert!(types(&events).iter().all(|kind| !kind.starts_with("platform")), "{events:?}");
}

#[test]
fn telemetry_by_tcp_is_one_event_a_line() {
    let requests = json!([[
        "/2022-07-01/telemetry",
        subscription("2022-12-13", "TCP", &["platform", "function"])
    ]]);
    let (answers, events) =
        subscribed(python(&["--layer", "layer"]).env("PROTOCOL", "TCP"), &requests, 0);
    assert_eq!(answers, ["200 \"OK\""]);
    let types = types(&events);
    assert!(types.contains(&"platform.report") && types.contains(&"function"), "{types:?}");
}

#[test]
fn logs_api_has_the_events_of_its_schema() {
    for (schema, has_runtime_done) in [("2020-08-15", false), ("2021-03-18", true)] {
        let requests = json!([["/2020-08-15/logs", subscription(schema, "HTTP", &["platform"])]]);
        let (answers, events) = subscribed(python(&["--layer", "layer"]), &requests, 0);
        assert_eq!(answers, ["200 \"OK\""]);
        let mut expected =
            vec!["platform.logsSubscription", "platform.extension", "platform.start"];
        expected.extend(has_runtime_done.then_some("platform.runtimeDone"));
        expected.extend(["platform.end", "platform.report"]);
        assert_eq!(types(&events), expected, "{schema}");
    }
}

#[test]
fn invocation_that_fails_has_status_and_error_type_in_telemetry() {
    let requests =
        json!([["/2022-07-01/telemetry", subscription("2022-12-13", "HTTP", &["platform"])]]);
    let outside = outside();
    fs::write(outside.path().join("requests"), requests.to_string()).expect("unable to write");
    let handler = "import os, time\ndef handler(event, context):\n    time.sleep(1000) if event \
                   == 1 else os._exit(3)\n";
    let test = python(&["--layer", "layer", "--timeout", "1", "--event", "1", "--event", "2"])
        .file("app.py", handler);
    let test = test.script("layer/extensions/subscriber", SUBSCRIBER).env("OUT", outside.path());
    simulated(test, 1);
    let events = fs::read_to_string(outside.path().join("events")).expect("events");
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let done: Vec<_> =
        events.iter().filter(|event| event["type"] == "platform.runtimeDone").collect();
    let told: Vec<_> = done
        .iter()
        .map(|event| (&event["record"]["status"], &event["record"]["errorType"]))
        .collect();
    assert_eq!(
        told,
        [(&json!("timeout"), &Value::Null), (&json!("failure"), &json!("Runtime.ExitError"))]
    );
    // The second init is one inside an invocation.
    let phases: Vec<_> =
        events.iter().filter(|event| event["type"] == "platform.initStart").collect();
    let phases: Vec<_> =
        phases.iter().map(|event| event["record"]["phase"].as_str().expect("a phase")).collect();
    assert_eq!(phases, ["init", "invoke"]);
}

#[test]
fn subscriptions_that_are_invalid_are_refused_as_by_lambda() {
    let telemetry = subscription("2022-12-13", "HTTP", &["platform"]);
    let with = |name: &str, value: Value| {
        let mut changed = telemetry.clone();
        changed[name] = value;
        json!(["/2022-07-01/telemetry", changed])
    };
    let requests = json!([
        with("types", json!([])),
        with("types", json!(["everything"])),
        with("destination", json!({"protocol": "HTTP", "URI": "http://sandbox.localdomain"})),
        with("destination", json!({"protocol": "HTTP", "URI": "http://example.com:8080"})),
        with("destination", json!({"protocol": "UDP", "URI": "http://sandbox:8080"})),
        with("destination", json!({"protocol": "HTTP", "URI": "http://sandbox:9001"})),
        ["/2022-07-01/telemetry", telemetry.clone()],
        ["/2022-07-01/telemetry", telemetry.clone()],
        ["/2020-08-15/logs", telemetry.clone()],
    ]);
    let (answers, _) = subscribed(python(&["--layer", "layer"]), &requests, 0);
    let problem = |message: &str| {
        format!(r#"400 {{"errorMessage":"{message}","errorType":"ValidationError"}}"#)
    };
    assert_eq!(
        answers,
        [
            problem("types should not be empty"),
            problem("type everything is not known"),
            problem("URI port is not provided"),
            problem("URI host example.com is not allowed"),
            problem("destination.protocol should be HTTP or TCP"),
            problem("URI port 9001 is reserved"),
            "200 \"OK\"".to_owned(),
            "200 \"OK\"".to_owned(),
            r#"400 {"errorMessage":"subscriber has subscribed by the Telemetry API, and cannot by the Logs API as well","errorType":"Logs.ValidationError"}"#.to_owned(),
        ]
    );
}
