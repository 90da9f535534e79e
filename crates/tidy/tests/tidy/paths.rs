//! Which top-level modules of its crate a piece of code speaks of: `use crate::a::B`,
//! `crate::{a, b::C}`, `super::super::a`.

use crate::code::{Code, positions};
use crate::workspace::File;

/// A mention of a top-level module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The name that follows the crate's root.
    pub(crate) name: String,
}

/// The top-level module a file belongs to; `None` for the root itself and for what is no source.
pub(crate) fn module_of(file: &File) -> Option<(&str, &str)> {
    let (name, path) = file.source()?;
    let module = path.split('/').next()?.trim_end_matches(".rs");
    (!matches!(module, "lib" | "main" | "bin")).then_some((name, module))
}

/// Every mention outside tests, in order.
pub(crate) fn mentions(file: &File) -> Vec<Mention> {
    if file.is_test {
        return Vec::new();
    }
    let code = Code::read(&file.text);
    let supers = "super::".repeat(depth(file));
    let text = code.lines.join("\n");
    let mut found = Vec::new();
    for prefix in ["crate::", supers.as_str()].into_iter().filter(|prefix| !prefix.is_empty()) {
        for at in positions(&text, prefix) {
            if text[..at].ends_with("super::") {
                continue;
            }
            let line = text[..at].matches('\n').count() + 1;
            if !code.in_test.get(line - 1).copied().unwrap_or(false) {
                names(&text[at + prefix.len()..], line, &mut found);
            }
        }
    }
    found.sort_by_key(|mention| mention.line);
    found
}

/// How many `super::` lead from the file to the root of its crate.
fn depth(file: &File) -> usize {
    file.source().map_or(0, |(_, path)| path.split('/').count())
}

/// Adds the first name of the path, or the first names of the group `{a, b::{C, D}}`.
fn names(rest: &str, line: usize, found: &mut Vec<Mention>) {
    let Some(group) = rest.strip_prefix('{') else {
        let name = word(rest);
        if !name.is_empty() && name != "super" {
            found.push(Mention { line, name: name.to_owned() });
        }
        return;
    };
    let (mut level, mut expects, mut line) = (0, true, line);
    for (i, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => return,
            '}' => level -= 1,
            ',' if level == 0 => expects = true,
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            _ if level == 0 && expects => {
                found.push(Mention { line, name: word(&group[i..]).to_owned() });
                expects = false;
            }
            _ => {}
        }
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn paths_groups_and_supers_are_read() {
    let text = "use crate::store::Store;\nuse crate::{clock, secret::{Secret, Key},\n  flags};\n\
                fn f() { super::super::fleet::go(); super::near(); crate::notify::say() }\n\
                // crate::door\n#[cfg(test)]\nmod tests { use crate::control; }\n";
    let file = File::new("crates/server/src/source/hook.rs", text);
    let names: Vec<(usize, String)> =
        mentions(&file).into_iter().map(|mention| (mention.line, mention.name)).collect();
    let wanted =
        [(1, "store"), (2, "clock"), (2, "secret"), (3, "flags"), (4, "notify"), (4, "fleet")];
    let mut found: Vec<(usize, &str)> = names.iter().map(|(l, n)| (*l, n.as_str())).collect();
    found.sort_by_key(|&(line, _)| line);
    assert_eq!(found, wanted);
}

#[test]
fn a_file_knows_its_room() {
    let room = |path: &str| module_of(&File::new(path, "")).map(|(a, b)| format!("{a}:{b}"));
    assert_eq!(room("crates/server/src/source/hook.rs").as_deref(), Some("server:source"));
    assert_eq!(room("crates/server/src/lib.rs"), None);
    assert_eq!(room("script/test"), None);
}
