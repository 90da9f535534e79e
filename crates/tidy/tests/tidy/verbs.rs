//! Every verb of the command, with what it takes, stands in `docs/verbs.md`, and nothing stands
//! there that is none.

use crate::finding::{Finding, assert_none, assert_one};
use crate::items::{Item, Part, items};
use crate::workspace::{File, file, rust};

/// `ScaleWish` -> `scale-wish`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out.replace('_', "-")
}

fn is_hidden(part: &Part) -> bool {
    part.attributes.contains("hide = true")
}

/// `status`, `rollout promote`: every verb that people may say.
fn verbs(source: &[Item]) -> Vec<String> {
    let of = |name: &str| source.iter().find(|item| item.name == name);
    let mut found = Vec::new();
    for verb in of("Verb").iter().flat_map(|item| &item.parts).filter(|verb| !is_hidden(verb)) {
        let name = kebab(&verb.name);
        match of(&verb.name) {
            Some(item) if item.attributes.contains("Subcommand") => {
                let more = item.parts.iter().filter(|part| !is_hidden(part));
                found.extend(more.map(|part| format!("{name} {}", kebab(&part.name))));
            }
            _ => found.push(name),
        }
    }
    found
}

/// `--watch`: every option that people may give.
fn options(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_option = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[arg(") {
            is_option = line.contains("long") && !line.contains("hide = true");
        } else if std::mem::take(&mut is_option) {
            let field = line.strip_prefix("pub ").unwrap_or(line);
            found.extend(field.split(':').next().map(|name| format!("--{}", kebab(name))));
        }
    }
    found
}

fn check(page: &File, source: &str) -> Vec<Finding> {
    let known = verbs(&items(source));
    let mut findings = Vec::new();
    for verb in &known {
        if !page.text.contains(&format!("`toehold {verb}")) {
            findings.push(Finding::of(&page.path, format!("`toehold {verb}` is missing")));
        }
    }
    for option in options(source).iter().filter(|option| !page.text.contains(*option)) {
        findings.push(Finding::of(&page.path, format!("`{option}` is missing")));
    }
    for (i, line) in page.text.lines().enumerate() {
        for said in line.split("`toehold ").skip(1) {
            let said = said.split('`').next().unwrap_or(said);
            let is_known = |verb: &String| said == verb || said.starts_with(&format!("{verb} "));
            if !said.starts_with('-') && !known.iter().any(is_known) {
                let what = format!("there is no `toehold {said}`");
                findings.push(Finding::at(&page.path, i + 1, what));
            }
        }
    }
    findings
}

#[test]
fn every_verb_stands_in_its_reference() {
    let is_ours = |it: &&File| it.path.starts_with("crates/toehold/src/args");
    let source: String = rust().filter(is_ours).map(|it| it.text.as_str()).collect();
    assert!(source.contains("enum Verb"), "the arguments are there");
    let page = file("docs/verbs.md").expect("the page is there");
    assert_none(&check(page, &source));
}

#[test]
fn a_verb_that_is_missing_or_made_up_is_seen() {
    let source = "enum Verb {\n    Up {\n        #[arg(long)]\n        max_age: u8,\n    },\n    \
                  #[command(subcommand)]\n    Flags(Flags),\n    \
                  #[command(hide = true)]\n    Hook,\n}\n#[derive(Subcommand)]\nenum Flags {\n    Ls,\n}\n";
    let look = |text: &str| check(&File::new("docs/verbs.md", text), source);
    assert_none(&look("`toehold up --max-age 3`, `toehold flags ls`\n"));
    assert_one(&look("`toehold up --max-age 3`\n"), 0, "`toehold flags ls` is missing");
    assert_one(&look("`toehold up`, `toehold flags ls`\n"), 0, "`--max-age` is missing");
    let made_up = "`toehold up --max-age 3`, `toehold flags ls`\n`toehold down`\n";
    assert_one(&look(made_up), 2, "no `toehold down`");
}
