use std::os::unix::fs::PermissionsExt;

use tar::{Builder, EntryType, Header};

use super::*;

/// An archive in the making.
struct Pack(Builder<Vec<u8>>);

impl Pack {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// Writes the name as it is, whatever it says.
    fn entry(mut self, name: &str, kind: EntryType, mode: u32, link: &str, body: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().expect("gnu").linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_size(body.len() as u64);
        header.set_cksum();
        self.0.append(&header, body).expect("appended");
        self
    }

    fn file(self, name: &str, mode: u32, body: &[u8]) -> Self {
        self.entry(name, EntryType::Regular, mode, "", body)
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(name, EntryType::Symlink, 0o777, target, b"")
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("packed")
    }
}

/// A machine's folder with an archive beside it.
struct Stage {
    dir: tempfile::TempDir,
    limits: Limits,
}

impl Stage {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), limits: Limits::default() }
    }

    async fn unpack(&self, tar: &[u8]) -> Result<PathBuf, ArtifactError> {
        let zst = zstd::encode_all(tar, 3).expect("packed");
        self.unpack_zst(&Digest::of(tar), &zst).await
    }

    async fn unpack_zst(&self, digest: &Digest, zst: &[u8]) -> Result<PathBuf, ArtifactError> {
        let path = self.dir.path().join("artifact.tar.zst");
        fs::write(&path, zst).expect("written");
        let artifacts = Artifacts::new(self.dir.path().join("in/releases"), self.limits);
        artifacts.folder(digest, &path).await
    }

    /// What is refused leaves nothing, inside or outside.
    async fn refused(&self, tar: &[u8]) -> String {
        let error = self.unpack(tar).await.expect_err("it was unpacked");
        let left = fs::read_dir(self.dir.path().join("in/releases")).expect("there");
        assert_eq!(left.count(), 0, "something was left: {error}");
        let outside = fs::read_dir(self.dir.path()).expect("there");
        assert_eq!(outside.count(), 2, "something was written outside: {error}");
        match error {
            ArtifactError::Refused { source, .. } => source.to_string(),
            ArtifactError::Io { source, .. } => panic!("not the archive's fault: {source}"),
        }
    }
}

#[tokio::test]
async fn an_ordinary_archive_becomes_a_folder_once() {
    let stage = Stage::new();
    let tar = Pack::new()
        .entry("./", EntryType::Directory, 0o755, "", b"")
        .file("bin/run", 0o755, b"#!/bin/sh\n")
        .file("node_modules/x/index.js", 0o644, b"1")
        .link("node_modules/.bin/x", "../x/index.js")
        .bytes();
    let folder = stage.unpack(&tar).await.expect("unpacked");
    let mode = |path: &str| folder.join(path).metadata().expect("there").permissions().mode();
    assert_eq!(mode("bin/run") & 0o777, 0o555);
    assert_eq!(mode("node_modules/x/index.js") & 0o777, 0o444);
    assert_eq!(fs::read(folder.join("node_modules/.bin/x")).expect("leads there"), b"1");
    fs::remove_file(stage.dir.path().join("artifact.tar.zst")).expect("removed");
    let artifacts = Artifacts::new(stage.dir.path().join("in/releases"), stage.limits);
    let again = artifacts.folder(&Digest::of(&tar), Path::new("/nowhere")).await;
    assert_eq!(again.expect("it is there already"), folder);
    artifacts.sweep(BTreeSet::from([Digest::of(&tar)])).await;
    assert!(folder.exists());
    // A sweep leaves everything for the next one while the mark of a folder is being changed.
    let swept = async {
        while folder.exists() {
            artifacts.sweep(BTreeSet::new()).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), swept).await.expect("in time");
    assert_eq!(fs::read_dir(stage.dir.path().join("in/releases")).expect("there").count(), 0);
}

#[tokio::test]
async fn after_a_power_cut_what_the_disk_may_not_have_is_unpacked_again() {
    let stage = Stage::new();
    let tar = Pack::new().file("x", 0o644, b"whole").bytes();
    let folder = stage.unpack(&tar).await.expect("unpacked");
    let mark = folder.with_added_extension("mark");
    let settled = async {
        while fs::read_to_string(&mark).expect("marked") != "settled" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), settled).await.expect("in time");
    let damage = || {
        fs::remove_file(folder.join("x")).expect("removed");
        fs::write(folder.join("x"), "").expect("written");
    };
    damage();
    fs::write(&mark, "another boot").expect("written");
    stage.unpack(&tar).await.expect("unpacked again");
    assert_eq!(fs::read(folder.join("x")).expect("there"), b"whole");
    damage();
    fs::write(&mark, "settled").expect("written");
    stage.unpack(&tar).await.expect("it is there");
    assert_eq!(fs::read(folder.join("x")).expect("there"), b"", "it was looked at again");
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let stage = Stage::new();
    let elsewhere = |name| Pack::new().file(name, 0o644, b"x").bytes();
    for name in ["../evil", "a/../../evil", "/tmp/evil", "a/b/../../../evil", ".."] {
        let said = stage.refused(&elsewhere(name)).await;
        assert!(said.contains("leave its folder"), "{name}: {said}");
    }
    for (name, target) in [("l", "/etc/passwd"), ("l", "../x"), ("a/l", "../../x"), ("l", "l")] {
        let said = stage.refused(&Pack::new().link(name, target).bytes()).await;
        assert!(said.contains("link"), "{name} -> {target}: {said}");
    }
    let through = Pack::new().link("a", "b").file("a/evil", 0o644, b"x").bytes();
    assert!(stage.refused(&through).await.contains("twice"));
    let bent = Pack::new()
        .entry("p/q/", EntryType::Directory, 0o755, "", b"")
        .link("p/q/top", "../..")
        .link("p/q/bent", "top/../x")
        .bytes();
    assert!(stage.refused(&bent).await.contains("p/q/bent"));
}

#[tokio::test]
async fn only_files_folders_and_links_are_unpacked() {
    let stage = Stage::new();
    for (kind, word) in [
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
    ] {
        let said = stage.refused(&Pack::new().entry("x", kind, 0o644, "y", b"").bytes()).await;
        assert!(said.contains(word), "{said}");
    }
    let said = stage.refused(&Pack::new().file("su", 0o4755, b"x").bytes()).await;
    assert!(said.contains("setuid"), "{said}");
    let twice = Pack::new().file("x", 0o644, b"1").file("x", 0o644, b"2").bytes();
    assert!(stage.refused(&twice).await.contains("twice"));
}

#[tokio::test]
async fn a_bomb_ends_at_its_limit() {
    let mut stage = Stage::new();
    stage.limits = Limits { entries: 10, bytes: 1 << 20, depth: 5 };
    let large = Pack::new().file("x", 0o644, &vec![0; 2 << 20]).bytes();
    assert!(stage.refused(&large).await.contains("bytes"));
    let many = (0..11).fold(Pack::new(), |pack, n| pack.file(&format!("f{n}"), 0o644, b""));
    assert!(stage.refused(&many.bytes()).await.contains("10 entries"));
    let deep = Pack::new().file("a/b/c/d/e/f", 0o644, b"").bytes();
    assert!(stage.refused(&deep).await.contains("folders"));
    let name = vec![b'x'; 64 << 20];
    let long = Pack::new().entry("././@LongLink", EntryType::GNULongName, 0o644, "", &name);
    assert!(stage.refused(&long.bytes()).await.contains("where a name belongs"));
}

#[tokio::test]
async fn a_cut_or_flipped_archive_is_refused() {
    let stage = Stage::new();
    let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let tar = Pack::new().file("x", 0o644, &body).bytes();
    let digest = Digest::of(&tar);
    let zst = zstd::encode_all(&*tar, 3).expect("packed");
    for cut in [0, 3, zst.len() / 2, zst.len() - 1] {
        assert!(stage.unpack_zst(&digest, &zst[..cut]).await.is_err(), "cut at {cut}");
    }
    let mut flipped = tar.clone();
    flipped[1000] ^= 1;
    let zst = zstd::encode_all(&*flipped, 3).expect("packed");
    let error = stage.unpack_zst(&digest, &zst).await.expect_err("it was flipped");
    assert!(matches!(error, ArtifactError::Refused { source: UnpackError::Digest { .. }, .. }));
    let missing = Artifacts::new(stage.dir.path().join("in/releases"), stage.limits);
    let error = missing.folder(&digest, Path::new("/nowhere")).await.expect_err("no file");
    assert!(error.to_string().contains("/nowhere"), "{error}");
}
