//! What would count for the work here: its `toehold.toml`, filled up with what its files tell.

use std::collections::BTreeSet;
use std::path::Path;

use toehold_core::pipeline::{Files, detect};
use toehold_core::spec::Spec;

use crate::report::Failure;
use crate::which;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What `toehold.toml` says, where there is one; else the defaults.
pub fn written(file: &Path) -> Result<Spec, Failure> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Spec::default()),
        Err(error) => {
            return Err(Failure::user(format!("cannot read {}", file.display()))
                .because(&error)
                .hint("it has to be a text file in UTF-8"));
        }
    };
    Spec::parse(&text).map_err(|error| {
        Failure::user(format!("{} cannot be used", file.display())).because(&error)
    })
}

/// The same with what the files around it tell, as a build finds it.
pub fn in_force(file: &Path) -> Result<Spec, Failure> {
    let spec = written(file)?;
    let folder = file.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
    let found = detect(&files(folder))
        .map_err(|error| Failure::user("cannot tell what the app is").because(&error))?;
    Ok(found.fill(spec))
}

/// Those that git knows or would add; where there is no git, those at the root.
fn files(folder: &Path) -> Files {
    let all = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let names: BTreeSet<String> = match which::git(folder, &all) {
        Some(list) => list.lines().map(str::to_owned).collect(),
        None => std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect(),
    };
    let small = |path: &Path| std::fs::metadata(path).is_ok_and(|it| it.len() <= LARGEST);
    let texts = Files::READ
        .iter()
        .filter(|name| names.contains(**name) && small(&folder.join(name)))
        .filter_map(|name| {
            Some(((*name).to_owned(), std::fs::read_to_string(folder.join(name)).ok()?))
        })
        .collect();
    Files { names, texts }
}
