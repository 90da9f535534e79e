//! A real browser, driven by the `WebDriver` protocol.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::ask::Ask;

/// One window of Chromium.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Opens one, this large, in a dark or a light room.
    pub(crate) async fn open(width: u32, height: u32, dark: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there: Debian has it in chromium-driver");
        let address = address(&mut driver);
        let profile = TempDir::new().expect("a folder can be made");
        let scheme = u8::from(!dark);
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--hide-scrollbars".into(),
            format!("--blink-settings=preferredColorScheme={scheme}"),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = command(address, &Method::POST, "/session", &wanted).await;
        let session = made["sessionId"].as_str().expect("a session").to_owned();
        let browser = Self { driver, address, session, _profile: profile };
        if width < 500 {
            // No window is as narrow as a phone: the page is told it is on one.
            let size =
                json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true });
            let cdp = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size });
            browser.command("goog/cdp/execute", &cdp).await;
        }
        browser
    }

    async fn command(&self, what: &str, body: &Value) -> Value {
        self.attempt(what, body).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    async fn attempt(&self, what: &str, body: &Value) -> Result<Value, Value> {
        let path = format!("/session/{}/{what}", self.session);
        attempt(self.address, &Method::POST, &path, body).await
    }

    /// Goes to an address.
    pub(crate) async fn go(&self, url: &str) {
        self.command("url", &json!({ "url": url })).await;
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until a script returns true.
    pub(crate) async fn until(&self, script: &str) {
        let deadline = tokio::time::Instant::now() + crate::ask::PATIENCE;
        while self.run(script).await != Value::Bool(true) {
            let late = tokio::time::Instant::now() > deadline;
            assert!(
                !late,
                "this never became so: {script}\n{}",
                self.run("return document.body.innerText").await
            );
        }
    }

    /// Clicks what a selector finds first, in the middle of the window. A part of the page may be
    /// replaced just then: what is gone is looked for again.
    pub(crate) async fn click(&self, selector: &str) {
        let there =
            format!("document.querySelector({selector:?})?.scrollIntoView({{block: 'center'}})");
        let wanted = json!({ "using": "css selector", "value": selector });
        let deadline = tokio::time::Instant::now() + crate::ask::PATIENCE;
        loop {
            self.run(&there).await;
            let clicked = match self.attempt("element", &wanted).await {
                Ok(found) => {
                    let id = found.as_object().and_then(|it| it.values().next()).cloned();
                    let id = id.as_ref().and_then(Value::as_str).expect("an element has an id");
                    self.attempt(&format!("element/{id}/click"), &json!({})).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = clicked else { return };
            assert!(tokio::time::Instant::now() < deadline, "cannot click {selector}: {error}");
        }
    }

    /// What the page complained of: what the policy forbids, what a script broke on.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" })).await;
        let lines = log.as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    /// A picture of the window, kept where `TOEHOLD_PAGES` says.
    pub(crate) async fn picture(&self, name: &str) {
        let path = format!("/session/{}/screenshot", self.session);
        let shot = command(self.address, &Method::GET, &path, &Value::Null).await;
        let picture = STANDARD.decode(shot.as_str().expect("a picture")).expect("base64");
        assert!(picture.starts_with(b"\x89PNG"), "it is no picture");
        if let Some(folder) = std::env::var_os("TOEHOLD_PAGES") {
            let path = std::path::Path::new(&folder).join(name).with_extension("png");
            std::fs::write(path, picture).expect("the folder can be written to");
        }
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        let path = format!("/session/{}", self.session);
        command(self.address, &Method::DELETE, &path, &Value::Null).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Where the driver listens: it says so in its first lines.
fn address(driver: &mut Child) -> SocketAddr {
    let said = BufReader::new(driver.stdout.take().expect("it is read"));
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    ([127, 0, 0, 1], port.expect("chromedriver says where it listens")).into()
}

async fn command(address: SocketAddr, method: &Method, path: &str, body: &Value) -> Value {
    let done = attempt(address, method, path, body).await;
    done.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the driver answers, or what it could not do.
async fn attempt(
    address: SocketAddr,
    method: &Method,
    path: &str,
    body: &Value,
) -> Result<Value, Value> {
    let stream = TcpStream::connect(address).await.expect("the driver listens");
    let ask = Ask::new(method, path).header("host", &address.to_string());
    let ask = if body.is_null() { ask } else { ask.json(body) };
    let answer = ask.over(stream).await;
    let value = answer.value()["value"].clone();
    if answer.status == 200 { Ok(value) } else { Err(value) }
}
