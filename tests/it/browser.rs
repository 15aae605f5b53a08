//! A headless Chromium, driven by the `DevTools` protocol over two named pipes: no socket, no other tool.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::wait_for;

/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A screen to look at a page with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Its width in CSS pixels.
    pub(crate) width: u32,
    /// `light` or `dark`.
    pub(crate) scheme: &'static str,
}

/// A desk, by day and by night, and a phone.
pub(crate) const SCREENS: [Screen; 4] = [
    Screen { width: 1280, scheme: "light" },
    Screen { width: 360, scheme: "dark" },
    Screen { width: 1280, scheme: "dark" },
    Screen { width: 360, scheme: "light" },
];

/// A browser with one page; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: String,
    calls: u64,
    complaints: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (into, out) = (folder.path().join("into"), folder.path().join("out"));
        assert!(Command::new("mkfifo").args([&into, &out]).status().unwrap().success());
        let program = std::env::var("SIGNALBOX_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$INTO\" 4>\"$OUT\"", &program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-pipe", "--lang=en-GB"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("INTO", &into)
            // What it leaves when it is killed goes with the folder.
            .env("TMPDIR", folder.path())
            .env("OUT", &out)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(into).unwrap();
        let from = messages(File::open(out).unwrap());
        let mut browser = Self {
            child,
            to,
            from,
            session: String::new(),
            calls: 0,
            complaints: Vec::new(),
            _folder: folder,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let Ok(answer) = self.from.recv_timeout(PATIENCE) else {
                panic!("Chromium does not answer {method}; run scripts/test, which installs it");
            };
            if answer["id"] == self.calls {
                let error = &answer["error"];
                return if error.is_null() { Ok(answer["result"].clone()) } else { Err(error.clone()) };
            }
            self.hear(&answer);
        }
    }

    /// Keeps what a page complains of.
    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        let is_complaint = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => ["error", "warning"].contains(&params["type"].as_str().unwrap()),
            "Log.entryAdded" => ["error", "warning"].contains(&params["entry"]["level"].as_str().unwrap()),
            _ => false,
        };
        if is_complaint {
            self.complaints.push(params.to_string());
        }
    }

    /// What pages complained of since the last call.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.eval("0");
        std::mem::take(&mut self.complaints)
    }

    /// Opens a page on a screen and waits until it is there.
    pub(crate) fn open(&mut self, url: &str, screen: Screen) {
        let metrics = json!({"width": screen.width, "height": 900, "deviceScaleFactor": 1, "mobile": screen.width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": screen.scheme}]});
        self.call("Emulation.setEmulatedMedia", &features);
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait("the page", "document.readyState === 'complete' && document.querySelector('main')");
    }

    /// Turns scripts of pages off.
    pub(crate) fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// The value of an expression; null where another page came before it was told.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let answer = match self.try_call("Runtime.evaluate", &params) {
            Ok(answer) => answer,
            Err(error) if error["message"].as_str().is_some_and(|why| why.contains("navigated")) => {
                return Value::Null;
            }
            Err(error) => panic!("{script}: {error}"),
        };
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text of an expression.
    pub(crate) fn text(&mut self, script: &str) -> String {
        self.eval(script).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression holds.
    pub(crate) fn wait(&mut self, what: &str, script: &str) {
        wait_for(what, || (self.eval(&format!("Boolean({script})")) == true).then_some(()));
    }

    /// Types a text into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, modifiers: u32) {
        for kind in ["keyDown", "keyUp"] {
            let params = json!({"type": kind, "key": key, "code": key, "modifiers": modifiers});
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// How far the page runs over the screen, in pixels.
    pub(crate) fn overflow(&mut self) -> i64 {
        let script = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.eval(script).as_i64().unwrap()
    }

    /// The rules of accessibility that the page breaks, by axe-core.
    pub(crate) fn violations(&mut self) -> Vec<String> {
        let Some(axe) = std::env::var_os("SIGNALBOX_TEST_AXE") else {
            panic!("SIGNALBOX_TEST_AXE names no axe.min.js; run scripts/test, which installs it");
        };
        let script = std::fs::read_to_string(axe).unwrap();
        // Told to the page's own world by the protocol, which its policy does not concern.
        self.eval(&format!("{script}; 0"));
        let found = self.eval(
            "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html.slice(0, 200) + ' ' + n.any.map(a => a.message).join(';')).slice(0, 3).join(' | ')))",
        );
        found.as_array().unwrap().iter().map(|found| found.as_str().unwrap().to_owned()).collect()
    }

    /// Leaves a picture of the whole page in `target/screenshots`.
    pub(crate) fn screenshot(&mut self, name: &str) {
        let bytes = self.picture(4_000);
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// A picture of the page from its top, at most this high.
    pub(crate) fn picture(&mut self, height_max: i64) -> Vec<u8> {
        let size = self.eval("[document.documentElement.clientWidth, document.documentElement.scrollHeight]");
        let height = size[1].as_i64().unwrap().min(height_max);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let answer =
            self.call("Page.captureScreenshot", &json!({"clip": clip, "captureBeyondViewport": true}));
        base64(answer["data"].as_str().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn screenshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots")
}

/// Reads messages, each ended by a zero byte, until the pipe is closed.
fn messages(pipe: File) -> Receiver<Value> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut message = Vec::new();
        while pipe.read_until(0, &mut message).is_ok_and(|count| count > 0) {
            message.pop();
            let Ok(value) = serde_json::from_slice(&message) else { break };
            if tell.send(value).is_err() {
                break;
            }
            message.clear();
        }
    });
    told
}

/// The bytes of a base64 text.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').collect();
    let mut bytes = Vec::new();
    for few in digits.chunks(4) {
        let bits = few.iter().fold(0, |bits, digit| bits << 6 | value(*digit)) << (6 * (4 - few.len()));
        bytes.extend(bits.to_be_bytes()[1..].iter().take(few.len() - 1));
    }
    bytes
}
