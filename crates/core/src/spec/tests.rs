use std::time::Duration;

use super::{Spec, SpecError, Step, show};
use crate::model::{HealthKind, Metric, StepKind, Track};

mod round_trip;

fn parsed(text: &str) -> Spec {
    match Spec::parse(text) {
        Ok(spec) => spec,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn refused(text: &str) -> SpecError {
    match Spec::parse(text) {
        Ok(_) => panic!("this was taken:\n{text}"),
        Err(error) => error,
    }
}

/// The error of each text, word for word.
#[track_caller]
fn says(text: &str, error: &str) {
    assert_eq!(refused(text).to_string(), format!("toehold.toml:{error}"), "of:\n{text}");
}

#[test]
fn an_empty_file_is_every_default() {
    assert_eq!(parsed(""), Spec::default());
    assert_eq!(parsed("# nothing\n[build]\n[scale]\n"), Spec::default());
    let spec = Spec::default();
    assert_eq!(spec.branches["main"], Track::Stable);
    assert_eq!(spec.branches["canary"], Track::Canary);
    assert!(spec.flags["feature1"]);
    assert_eq!((spec.scale.min, spec.scale.max), (1, 4));
    assert_eq!(spec.alerts.len(), 2);
}

#[test]
fn the_file_of_the_guide_is_understood() {
    let spec = parsed(
        r#"
        app = "shop"
        [branches]
        main   = "stable"
        canary = "canary"
        [build]
        install = "npm ci"
        test    = "npx jasmine"
        lint    = "npx jshint --reporter=checkstyle . > checkstyle-result.xml"
        timeout = "10m"
        [build.reports]
        junit      = "reports/**/*.xml"
        checkstyle = "checkstyle-result.xml"
        [run]
        web     = "node main.js"
        release = "node migrate.js"
        env     = { NODE_ENV = "production" }
        secrets = ["SESSION_KEY"]
        memory  = "256MiB"
        [health]
        path = "/healthz"
        [proxy]
        hosts = ["Shop.example.com"]
        drain = "1m30s"
        [canary]
        split = "2:1"
        steps = ["5% for 2m", "33% for 10m", "approve"]
        [scale]
        min = 6
        cpu = "60%"
        memory = "off"
        [alerts.cpu]
        when  = "cpu > 80% for 5m"
        clear = "cpu < 70%"
        notify = ["mail"]
        [alerts]
        memory = false
        [machines]
        provider = "local"
        [flags]
        beta = { default = false }
        "#,
    );
    assert_eq!(spec.app.expect("it is named").as_str(), "shop");
    assert_eq!(spec.branches.len(), 2, "what is written replaces the default branches");
    assert_eq!(spec.build.test.as_deref(), Some("npx jasmine"));
    assert_eq!(spec.run.memory_bytes, 268_435_456);
    assert_eq!(spec.health.kind, HealthKind::Http { path: "/healthz".into() });
    assert_eq!(spec.proxy.hosts, ["shop.example.com"]);
    assert_eq!(spec.proxy.drain, Duration::from_secs(90));
    assert_eq!(spec.canary.steps[2], Step::Approve);
    assert_eq!((spec.scale.min, spec.scale.max), (6, 6), "max is never below min by default");
    assert_eq!((spec.scale.cpu_percent, spec.scale.memory_percent), (Some(60.0), None));
    assert_eq!(spec.alerts.len(), 1);
    let alert = &spec.alerts[0];
    assert_eq!((alert.metric, alert.above, alert.below), (Metric::Cpu, 80.0, 70.0));
    assert_eq!(alert.window, Duration::from_mins(5));
    assert_eq!(spec.flags.len(), 2);
}

#[test]
fn a_key_nobody_knows_is_named_with_the_one_that_was_meant() {
    says(
        "[build]\n\n# tests\ntests = \"x\"",
        "4:1: unknown key `tests` in [build]: did you mean `test`?",
    );
    says("biuld = 1", "1:1: unknown key `biuld`: did you mean `build`?");
    says(
        "[alerts.cpu]\nwen = \"x\"",
        "2:1: unknown key `wen` in [alerts.cpu]: did you mean `when`?",
    );
    says(
        "[canary]\nwhatever = 1",
        "2:1: unknown key `whatever` in [canary]: known are split, steps, instances",
    );
    assert_eq!(refused("build.test-command = 1").key, "build.test-command");
}

#[test]
fn a_wrong_unit_is_refused_where_it_stands() {
    says(
        "[build]\ntimeout = \"10 minutes\"",
        "2:11: build.timeout: \"10 minutes\" is not a duration: write a number and ms, s, m or h, \
         such as \"30s\", \"10m\" or \"1h\"",
    );
    says(
        "[build]\ntimeout = 600",
        "2:11: build.timeout: invalid type: integer `600`, expected a duration such as \"30s\", \
         \"10m\" or \"1h\"",
    );
    for text in [
        "[run]\nmemory = \"512MB!\"",
        "[run]\nmemory = 512",
        "[run]\nmemory = \"512 mb\"",
        "[run]\nmemory = \"99999999999TiB\"",
        "[scale]\ncpu = \"45\"",
        "[scale]\ncpu = 45",
        "[scale]\ncpu = \"-5%\"",
        "[scale]\ncpu = \"0%\"",
        "[scale]\ncpu = \"NaN%\"",
        "[scale]\ncpu = \"1001%\"",
        "[canary]\nsplit = \"2\"",
        "[canary]\nsteps = [\"5%\"]",
        "[canary]\nsteps = [\"5% for ever\"]",
        "[alerts.cpu]\nwhen = \"cpu > 45 for 1m\"",
        "[alerts.cpu]\nwhen = \"cpu < 45% for 1m\"",
        "[alerts.cpu]\nwhen = \"disk > 45%\"",
        "[alerts.cpu]\nwhen = \"cpu > 45% for 0s\"",
        "[build]\nidle_timeout = \"0s\"",
        "[build]\ntimeout = \"\"",
        "[build]\ntimeout = \"1s1m\"",
        "[build]\ntimeout = \"9000h\"",
    ] {
        let error = refused(text);
        assert_eq!(error.line, 2, "{error}");
        assert!(error.column > 1, "{error}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    says(
        "[scale]\nmin = 5\nmax = 2",
        "3:7: scale.max: min = 5 is more than max = 2: raise max or lower min",
    );
    says(
        "[alerts.cpu]\nwhen = \"cpu > 45%\"\nclear = \"cpu < 60%\"",
        "3:9: alerts.cpu.clear: 60% is above the threshold of 45%, so that it would be cleared \
         while it is raised: write a smaller number",
    );
    says(
        "[alerts.cpu]\nclear = \"memory < 40%\"",
        "2:9: alerts.cpu.clear: the alert is raised by cpu, so memory cannot clear it",
    );
    says(
        "[health]\npath = \"/\"\ntcp = true",
        "3:7: health.tcp: an app has one probe: keep one of `path`, `tcp` and `command`",
    );
    says(
        "[run]\nenv = { KEY = \"a\" }\nsecrets = [\"KEY\"]",
        "3:12: run.secrets: `KEY` is in `env` too: keep one of the two",
    );
}

#[test]
fn what_cannot_be_is_refused() {
    for (text, needle) in [
        ("app = \"../shop\"", "app: \"../shop\" cannot be the name of an app"),
        ("[branches]\n\"a..b\" = \"stable\"", "cannot be a branch"),
        ("[branches]\nmain = \"prod\"", "branches.main: unknown variant `prod`"),
        ("[branches]", "names no branch"),
        ("[build]\ntest = \"  \"", "build.test: is empty"),
        ("[build]\ntest = true", "`true` says nothing"),
        ("[build]\nexclude = [\"../x\"]", "is not a pattern of files in the checkout"),
        ("[build.reports]\njunit = \"/etc/passwd\"", "is not a pattern of files in the checkout"),
        ("[run]\ncpus = 0.0", "must be above 0"),
        ("[run]\ncpus = nan", "must be above 0"),
        ("[run]\nmemory = \"1kB\"", "less than 1MiB"),
        ("[run]\nenv = { PORT = \"80\" }", "`PORT` is given by Toehold"),
        ("[run]\nenv = { \"a b\" = \"80\" }", "cannot be the name of an environment variable"),
        ("[run]\nenv = { A = 80 }", "put the value in quotes"),
        ("[health]\npath = \"healthz\"", "begin it with `/`"),
        ("[health]\nrise = 0", "must be from 1 to 1000"),
        ("[proxy]\nhosts = [\"http://a\"]", "without scheme, port or path"),
        ("[canary]\ninstances = 0", "must be from 1 to 1000"),
        ("[scale]\nmin = -1", "scale.min: "),
        ("[alerts.queue]\nquiet = \"1m\"", "does not say when"),
        ("[alerts.cpu]\nnotify = [\"mial\"]", "did you mean `mail`?"),
        ("[machines]\nprovider = \"digitalocaen\"", "it is `local`, `ssh` or `digitalocean`"),
        ("[machines]\nsize = \"s\"", "which makes no machines"),
        ("[machines]\nplaybook = \"a.yml\"", "which Ansible does not reach"),
        ("[machines]\nprovider = \"ssh\"\nplaybook = \"../a.yml\"", "is no path in the repository"),
        ("[machines]\nprovider = \"ssh\"\nplaybook = \"-e@a.yml\"", "is no path in the repository"),
        ("[machines]\nprovider = \"ssh\"\nplaybook_timeout = \"1m\"", "without a `playbook`"),
        ("[env.staging]\nscale.max = 1", "[env.staging] needs a later version"),
        ("[flags]\nx = true", "flags.x: invalid type"),
        ("[build", "toehold.toml:1:"),
        ("[build]\n[build]", "toehold.toml:2:"),
    ] {
        let error = refused(text).to_string();
        assert!(error.contains(needle), "{error:?} does not say {needle:?}");
    }
}

#[test]
fn a_step_can_be_switched_off() {
    let spec = parsed("[build]\nlint = false");
    assert_eq!(spec.build.lint, None);
    assert!(spec.build.off.contains(&StepKind::Lint));
}

#[test]
fn an_alert_that_names_only_its_threshold_is_cleared_below_it() {
    for (above, below) in [(45.0, 40.0), (80.0, 75.0), (4.0, 2.0)] {
        let spec = parsed(&format!("[alerts.x]\nwhen = \"memory > {above}%\""));
        let rule = spec.alerts.iter().find(|rule| rule.name == "x").expect("it was written");
        assert!((rule.below - below).abs() < 1e-9, "{above}: {}", rule.below);
    }
}

#[test]
fn nothing_that_is_typed_makes_it_panic() {
    let file = show(&Spec::default());
    for end in 0..file.len() {
        let _ = Spec::parse(&file[..end]);
        let _ = Spec::parse(&format!("{}ä{}", &file[..end], &file[end..]));
    }
    assert!(Spec::parse(&"[".repeat(100_000)).is_err());
    assert!(Spec::parse(&format!("a = {}", "[".repeat(100_000))).is_err());
}
