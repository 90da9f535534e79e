//! The app of the story, as it lies in `examples/tokens`, and the changes its team makes.

use std::path::Path;

use crate::report::{Failure, Outcome};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../examples/tokens/", $path)))),*]
    };
}

/// Every file of it.
const FILES: &[(&str, &str)] = files![
    ".gitignore",
    ".jshintignore",
    ".jshintrc",
    ".npmrc",
    "README.md",
    "lib/app.js",
    "lib/burner.js",
    "lib/file-tokens.js",
    "lib/flags.js",
    "lib/greeting.js",
    "lib/redis-tokens.js",
    "lib/settings.js",
    "main.js",
    "package-lock.json",
    "package.json",
    "spec/app.spec.js",
    "spec/burner.spec.js",
    "spec/flags.spec.js",
    "spec/helpers/junit.js",
    "spec/helpers/stage.js",
    "spec/main.spec.js",
    "spec/support/jasmine.json",
    "spec/tokens.spec.js",
];

/// The configuration of the story: short windows, so that a minute is enough.
const CONFIG: &str = r#"app = "tokens"

[build]
install = "npm ci --no-audit --no-fund"
test = "npx jasmine"
lint = "npx jshint --reporter=checkstyle main.js lib spec > checkstyle-result.xml"

[build.reports]
junit = "reports/**/*.xml"
checkstyle = "checkstyle-result.xml"

[run]
web = "node main.js"
cpus = 0.5

[health]
path = "/healthz"

[proxy]
drain = "5s"

[canary]
split = "2:1"

[scale]
min = 1
max = 2
cpu = "45%"
window = "4s"
cooldown_out = "2s"
cooldown_in = "3s"

[alerts.cpu]
when = "cpu > 45% for 4s"
clear = "cpu < 40%"

[alerts.memory]
when = "memory > 45% for 1m"
clear = "memory < 40%"

[flags]
feature1 = { default = true }
"#;

/// What is added where it runs on machines of a cloud.
const ELSEWHERE: &str = r#"
[machines]
provider = "digitalocean"
playbook = "ops/site.yml"
"#;

/// How its team configures a machine.
const PLAYBOOK: &str = r#"- name: Make a machine fit for the app
  hosts: app_tokens
  gather_facts: false
  vars:
    ansible_python_interpreter: /usr/bin/python3
  tasks:
    - name: Make a folder for what the team leaves
      ansible.builtin.file:
        path: /var/lib/toehold-agent/team
        state: directory
        mode: "0755"
    - name: Say whose machine it is
      ansible.builtin.copy:
        dest: /var/lib/toehold-agent/team/motd
        content: "{{ inventory_hostname }} runs {{ toehold_app }}\n"
        mode: "0644"
"#;

/// What a canary that burns CPU adds.
const BURN: &str = "
// The new price engine works things out ahead of time.
setInterval(() => {
  const until = Date.now() + 12;
  let prices = 0;
  while (Date.now() < until) {
    prices += 1;
  }
}, 20);
";

/// Writes the app as its team first pushes it.
pub fn write(folder: &Path) -> Outcome {
    for (path, text) in FILES {
        put(&folder.join(path), text)?;
    }
    put(&folder.join("toehold.toml"), CONFIG)
}

/// Lets it run on machines of a cloud, configured by a playbook of its own.
pub fn go_elsewhere(folder: &Path) -> Outcome {
    put(&folder.join("toehold.toml"), &format!("{CONFIG}{ELSEWHERE}"))?;
    put(&folder.join("ops/site.yml"), PLAYBOOK)
}

/// Changes the words of the front page.
pub fn greet(folder: &Path, words: &str) -> Outcome {
    let path = folder.join("lib/greeting.js");
    let text = read(&path)?;
    let lines = text.lines().map(|line| {
        if line.starts_with("const GREETING") {
            format!("const GREETING = '{words}';")
        } else {
            line.to_owned()
        }
    });
    let changed: Vec<String> = lines.collect();
    put(&path, &format!("{}\n", changed.join("\n")))
}

/// Adds what burns CPU, or takes it away again.
pub fn burn(folder: &Path, burns: bool) -> Outcome {
    let path = folder.join("main.js");
    let text = read(&path)?;
    let clean = text.replace(BURN, "");
    put(&path, &if burns { format!("{clean}{BURN}") } else { clean })
}

fn put(path: &Path, text: &str) -> Outcome {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::world(format!("cannot write {}", path.display())).because(&error))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::world(format!("cannot read {}", path.display())).because(&error))
}
