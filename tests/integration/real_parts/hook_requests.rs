//! Hooks that ask a server of Python's library.

use crate::support::Test;
use serde_json::json;

/// How Function Compute's custom runtimes are told of their lifecycle, with the server of Python's
/// library.
#[test]
fn real_server_receives_its_lifecycle_requests() {
    const SERVER: &str = "
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        open('order', 'a').write(f'{self.path} {body[:21].decode()}\\n')
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
open('port', 'w').write(f'PORT={server.server_port}\\n')
server.serve_forever()
";
    let hooks = json!([
        {"name": "server", "command": ["python3", "server.py"], "background": true},
        {"name": "port", "command": "until [ -s port ]; do sleep 0.01; done; cat port",
            "export": "dotenv"},
        {"name": "initialize", "wait_for": "127.0.0.1:${PORT}", "http": "POST http://127.0.0.1:${PORT}/initialize"},
    ]);
    let finished = Test::new().file("server.py", SERVER).hooks(hooks).args(["/bin/true"]).run();
    assert_eq!(finished.read("order"), "/initialize {\"phase\":\"initialize\"\n");
    assert!(finished.is_alone(), "it ends with the runtime");
}
