//! The files of the repository, read once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::code::Code;

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Whether all of it is test code.
    pub(crate) is_test: bool,
}

impl File {
    /// A file, told to be a test by its path alone.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs");
        Self { path: path.to_owned(), text: text.to_owned(), is_test }
    }

    /// The crate's folder name and the path below its `src`: `("core", "model/app.rs")`.
    pub(crate) fn source(&self) -> Option<(&str, &str)> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        Some((name, rest.strip_prefix("src/")?))
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.extension() == Some("rs")
    }

    /// What follows the last dot of its name.
    pub(crate) fn extension(&self) -> Option<&str> {
        Path::new(&self.path).extension()?.to_str()
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Every text file that git knows or would take.
pub(crate) fn files() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let mut files: Vec<File> = paths().iter().filter_map(|path| read(path)).collect();
        mark_test_modules(&mut files);
        files
    });
    &FILES
}

/// The Rust files.
pub(crate) fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.is_rust())
}

/// The file at `path`, where there is one.
pub(crate) fn file(path: &str) -> Option<&'static File> {
    files().iter().find(|file| file.path == path)
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> Option<File> {
    let bytes = fs::read(root().join(path)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then(|| File::new(path, &text))
}

/// What is committed or would be: built and ignored files are nobody's text.
fn paths() -> Vec<String> {
    let out = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"])
        .args(["--exclude-standard", "--deduplicate"])
        .current_dir(root())
        .output()
        .expect("tidy asks git which files there are: install git");
    let talk = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "git ls-files: {talk}");
    let list = String::from_utf8_lossy(&out.stdout);
    list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// A module that is only declared under `#[cfg(test)]` is a test, whatever its name.
fn mark_test_modules(files: &mut [File]) {
    let modules: Vec<String> =
        files.iter().filter(|file| file.is_rust()).flat_map(test_modules).collect();
    for file in files {
        let path = file.path.trim_end_matches(".rs");
        let inside = |module: &String| path.strip_prefix(module).is_some_and(begins_or_ends_a_part);
        file.is_test |= modules.iter().any(inside);
    }
}

fn begins_or_ends_a_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The paths, without `.rs`, of the modules a file declares for tests only.
fn test_modules(file: &File) -> Vec<String> {
    let path = file.path.trim_end_matches(".rs");
    let folder = match path.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => path,
    };
    let code = Code::read(&file.text);
    code.numbered()
        .filter(|&(_, _, in_test)| in_test)
        .filter_map(|(_, line, _)| line.trim().strip_suffix(';')?.rsplit_once("mod "))
        .map(|(_, name)| format!("{folder}/{}", name.trim()))
        .collect()
}

#[test]
fn the_repository_is_read() {
    assert!(file("Cargo.toml").is_some());
    assert!(rust().any(|file| file.path == "crates/core/src/model.rs"));
}

#[test]
fn a_module_for_tests_is_known_by_its_attribute() {
    let mut files = vec![
        File::new("crates/x/src/lib.rs", "#[cfg(test)]\nmod stage;\nmod room;\n"),
        File::new("crates/x/src/stage.rs", ""),
        File::new("crates/x/src/stage/play.rs", ""),
        File::new("crates/x/src/stages.rs", ""),
        File::new("crates/x/src/room.rs", ""),
    ];
    mark_test_modules(&mut files);
    let tests: Vec<bool> = files.iter().map(|file| file.is_test).collect();
    assert_eq!(tests, [false, true, true, false, false]);
}
