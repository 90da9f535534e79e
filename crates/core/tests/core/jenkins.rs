//! Jobs of Jenkins beside what they become. `TOEHOLD_BLESS=1 cargo test -p toehold-core jenkins`
//! writes what they become now; then look at the difference.

use std::path::Path;

use toehold_core::jenkins::{NotAJob, import};
use toehold_core::spec::Spec;

/// A job, and what becomes of it.
struct Pair {
    name: &'static str,
    job: &'static str,
    toml: &'static str,
}

macro_rules! jobs {
    ($($name:literal)*) => {
        [$(Pair {
            name: $name,
            job: include_str!(concat!("../golden/jenkins/", $name, ".xml")),
            toml: include_str!(concat!("../golden/jenkins/", $name, ".toml")),
        },)*]
    };
}

const JOBS: [Pair; 7] = jobs!["origin" "canary" "freestyle" "maven" "matrix" "pipeline" "cut"];

#[expect(clippy::disallowed_methods, reason = "a test may write its own golden file")]
fn bless(name: &str, toml: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/jenkins");
    std::fs::write(folder.join(format!("{name}.toml")), toml).expect("it can be written");
}

#[test]
fn each_job_becomes_what_stands_beside_it() {
    for Pair { name, job, toml } in JOBS {
        let imported = import(job).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spec = Spec::parse(&imported.toml);
        assert!(spec.is_ok(), "{name}: {spec:?}");
        if std::env::var_os("TOEHOLD_BLESS").is_some() {
            bless(name, &imported.toml);
        } else {
            assert_eq!(imported.toml, toml, "{name}");
        }
    }
}

#[test]
fn wherever_a_job_is_cut_off_what_is_there_counts() {
    for Pair { name, job, .. } in JOBS {
        for end in (0..job.len()).step_by(13).filter(|end| job.is_char_boundary(*end)) {
            match import(&job[..end]) {
                Ok(imported) => assert!(Spec::parse(&imported.toml).is_ok(), "{name} at {end}"),
                Err(NotAJob::Other { .. }) => assert!(end < 100, "{name} at {end}"),
                Err(NotAJob::TooLarge) => panic!("it is small"),
            }
        }
    }
}

#[test]
fn what_is_no_job_is_refused_and_what_is_hostile_does_no_harm() {
    assert!(import("").is_err());
    assert!(import("{\"jobs\": []}").is_err());
    assert!(import(&"<a>".repeat(100_000)).is_err(), "too deep");
    assert_eq!(import(&" ".repeat(5 << 20)), Err(NotAJob::TooLarge));
    let evil = "<project><description>x\u{85}\ny = 1\r[run]\nweb = 'rm'</description><builders>\
                <hudson.tasks.Shell><command>echo \"\"\"'''\u{0}\u{7f}\"</command></hudson.tasks.Shell>\
                </builders></project>";
    let imported = import(evil).expect("it is a job");
    let spec = Spec::parse(&imported.toml).expect("it can be read");
    assert_eq!(spec.run.web, None, "a description is a comment: {}", imported.toml);
}
