//! Apps that say nothing of how they are built: that is found out, and they serve.

use std::path::PathBuf;
use std::process::Command;

use crate::stage::{Stage, said};

/// The folder of Python itself: where it is reached by a version manager's wrapper, the wrapper
/// writes into its own folder after each install, and a build may write into none but its own.
fn python() -> PathBuf {
    let script = "import sys; print(sys.base_prefix + '/bin')";
    let output = Command::new("python3").args(["-c", script]).output().expect("python3 runs");
    PathBuf::from(said(&output).trim())
}

#[test]
fn a_python_app_is_installed_tested_and_serves() {
    let stage = Stage::with_programs(&python());
    let app = stage.bare("snake");
    app.write("requirements.txt", "# nothing yet\n");
    app.write(
        "main.py",
        "import http.server, os, words\n\
         class Page(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200); self.end_headers(); self.wfile.write(words.WORDS)\n\
         http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Page).serve_forever()\n",
    );
    app.write("words.py", "WORDS = b'from python\\n'\n");
    let test = "import unittest, words\nclass Words(unittest.TestCase):\n\
                \x20   def test_are_there(self): self.assertTrue(words.WORDS)\n";
    app.write("test_words.py", test);
    app.commit("begin");
    let seen = app.push("main");
    assert!(seen.contains("✓ install") && seen.contains("✓ test"), "{seen}");
    app.until_heard("from python");
    app.write("words.py", "WORDS = b''\n");
    app.commit("say nothing");
    let seen = app.push("main");
    assert!(seen.contains("test_are_there") && !seen.contains("✓ start"), "{seen}");
    app.until_heard("from python");
}

#[test]
fn a_rust_app_is_compiled_tested_and_serves() {
    let stage = Stage::new();
    let app = stage.bare("crab");
    app.write("Cargo.toml", "[package]\nname = \"crab\"\nedition = \"2024\"\n");
    app.write(
        "src/main.rs",
        "use std::io::{Read, Write};\n\
         fn words() -> &'static str { \"from rust\\n\" }\n\
         fn main() {\n\
         \x20   let port = std::env::var(\"PORT\").expect(\"a port\");\n\
         \x20   let listener = std::net::TcpListener::bind(format!(\"127.0.0.1:{port}\")).expect(\"free\");\n\
         \x20   for stream in listener.incoming() {\n\
         \x20       let mut stream = stream.expect(\"a link\");\n\
         \x20       let _ = stream.read(&mut [0; 4096]);\n\
         \x20       let body = words();\n\
         \x20       let _ = write!(stream, \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: {}\\r\\n\\r\\n{body}\", body.len());\n\
         \x20   }\n\
         }\n\
         #[test]\n\
         fn words_are_there() { assert!(!words().is_empty()); }\n",
    );
    app.write(".gitignore", "target\n");
    app.commit("begin");
    let seen = app.push("main");
    assert!(seen.contains("✓ install") && seen.contains("✓ test"), "{seen}");
    app.until_heard("from rust");
}

#[test]
fn a_procfile_says_what_runs() {
    let stage = Stage::new();
    let app = stage.bare("files");
    app.write("Procfile", "web: python3 -m http.server --bind 127.0.0.1 $PORT\n");
    app.write("index.html", "from a file\n");
    app.commit("begin");
    app.push("main");
    app.until_heard("from a file");
}
