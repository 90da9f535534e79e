//! Every verb, with each of its options, stands in `docs/verbs.md`, and nothing stands there that
//! is none.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory};

use super::Args;

/// Verbs with their options: `rollout set`, and `--watch`.
type Verbs = BTreeMap<String, BTreeSet<String>>;

/// What people may say.
fn said_by_the_program() -> Verbs {
    fn walk(path: &str, command: &Command, all: &mut Verbs) {
        let shown = |it: &&clap::Arg| !it.is_hide_set() && !it.is_global_set();
        let options = command.get_arguments().filter(shown).filter_map(clap::Arg::get_long);
        let options: BTreeSet<String> =
            options.filter(|it| *it != "help").map(|it| format!("--{it}")).collect();
        if !command.is_subcommand_required_set() && !path.is_empty() {
            all.insert(path.to_owned(), options);
        }
        for verb in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            if verb.get_name() != "help" {
                walk(format!("{path} {}", verb.get_name()).trim(), verb, all);
            }
        }
    }
    let mut all = Verbs::new();
    walk("", &Args::command(), &mut all);
    all
}

/// What the page says, a row for each verb.
fn said_by(page: &str) -> Verbs {
    let mut all = Verbs::new();
    for row in page.lines() {
        let Some((verb, what)) =
            row.strip_prefix("| `toehold ").and_then(|row| row.split_once("` |"))
        else {
            continue;
        };
        let words = what.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let options = words.filter(|word| word.starts_with("--")).map(str::to_owned);
        all.insert(verb.to_owned(), options.collect());
    }
    all
}

/// What everywhere may be said, and stands in the table for that.
fn everywhere() -> BTreeSet<String> {
    let command = Args::command();
    let global = command.get_arguments().filter(|it| it.is_global_set());
    global.filter_map(clap::Arg::get_long).map(|it| format!("--{it}")).collect()
}

#[test]
fn every_verb_stands_in_its_reference_with_its_options_and_no_other() {
    let page = include_str!("../../../../docs/verbs.md");
    let everywhere = everywhere();
    for option in &everywhere {
        assert!(page.contains(&format!("`{option}")), "{option} is missing");
    }
    let (mut written, mut known) = (said_by(page), said_by_the_program());
    for options in written.values_mut().chain(known.values_mut()) {
        options.retain(|option| !everywhere.contains(option));
    }
    assert_eq!(written, known);
}

#[test]
fn a_row_is_read_with_its_options() {
    let read =
        said_by("| verb | what |\n| `toehold up` | `--listen ADDR`, and `--api`; see (--x) |\n");
    let options = ["--api", "--listen", "--x"].map(str::to_owned);
    assert_eq!(read, Verbs::from([("up".to_owned(), options.into())]));
}
