//! The same tree is the same bytes; the shelf keeps what is needed.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use toehold_core::model::{Digest, Manifest};
use toehold_server::builder::{artifact_path, manifest_path, prune};

use crate::stage::{Stage, toml};

#[tokio::test]
async fn the_same_tree_is_the_same_artifact_on_any_stage() {
    let files = [
        ("b/z.txt", "z"),
        ("a.txt", "a"),
        ("b.txt", "b"),
        ("ü mläut/\"quoted\".js", "ü"),
        ("run.sh", "#!/bin/sh\n"),
        ("toehold.toml", &toml("exclude = [\"docs\", \"*.md\"]")),
        ("docs/deep/x.txt", "left out"),
        ("README.md", "left out"),
        ("b/README.md", "kept: the pattern has no folder"),
    ];
    let mut one = Stage::with(&files);
    let mut two = Stage::with(&files);
    std::os::unix::fs::symlink("b/z.txt", one.source().join("link")).expect("a link");
    std::os::unix::fs::symlink("b/z.txt", two.source().join("link")).expect("a link");
    let first = one.passes().await.manifest;
    let second = two.passes().await.manifest;
    assert_eq!(first.digest, second.digest);
    assert_ne!(first.made_at.as_ms(), 0);
    assert_eq!(
        one.names(&first.digest),
        [
            "a.txt",
            "b",
            "b/README.md",
            "b/z.txt",
            "b.txt",
            "link",
            "run.sh",
            "toehold.toml",
            "ü mläut",
            "ü mläut/\"quoted\".js",
        ]
    );
    // The digest is that of the archive itself.
    let packed =
        fs::File::open(artifact_path(&one.dirs.artifacts, &first.digest)).expect("it lies there");
    let archive = zstd::decode_all(packed).expect("it is zstd");
    assert_eq!(Digest::of(&archive), first.digest);
    let described = fs::read(manifest_path(&one.dirs.artifacts, &first.digest)).expect("beside it");
    let described: Manifest = serde_json::from_slice(&described).expect("it is a manifest");
    assert_eq!(described, first);
    // Built again, it is found on the shelf.
    let again = one.passes().await;
    assert_eq!(again.manifest.digest, first.digest);
    assert!(again.steps.last().expect("the last step").summary.ends_with("unchanged"));
}

#[tokio::test]
async fn what_a_test_leaves_behind_is_not_shipped() {
    let mut stage = Stage::with(&[
        ("data.json", "as it was"),
        ("gone.txt", "as it was"),
        (
            "toehold.toml",
            &toml(
                "install = \"mkdir dist; echo built > dist/app.js\"\n\
                 test = \"mkdir coverage; echo x > coverage/x; echo y > data.json; rm gone.txt; mkfifo pipe\"",
            ),
        ),
    ]);
    let passed = stage.passes().await;
    let entries = stage.entries(&passed.manifest.digest);
    let has = |name: &str, text: &str| entries.contains(&(name.to_owned(), text.to_owned()));
    assert!(has("dist/app.js", "built\n"), "{entries:?}");
    assert!(has("data.json", "as it was") && has("gone.txt", "as it was"), "{entries:?}");
    assert_eq!(entries.len(), 5, "{entries:?}");
    let log = stage.log();
    assert!(log.contains("3 files that came after install are not part of the artifact"), "{log}");
    assert!(log.contains("data.json was changed after install: put back"), "{log}");
}

#[tokio::test]
async fn a_file_that_changed_has_another_time_and_one_that_did_not_has_not() {
    let mut stage = Stage::with(&[
        ("main.js", ""),
        ("page.html", "hello"),
        ("same.html", "same"),
        ("toehold.toml", &toml("")),
    ]);
    stage.put("large.bin", &"a".repeat(9 << 20));
    let first = stage.passes().await.manifest.digest;
    // As long as before: a web server sees the change by the time alone.
    stage.put("page.html", "world");
    stage.put("large.bin", &"b".repeat(9 << 20));
    let second = stage.passes().await.manifest.digest;
    let (first, second) = (stage.times(&first), stage.times(&second));
    assert_ne!(first["page.html"], second["page.html"]);
    assert_ne!(first["large.bin"], second["large.bin"]);
    assert_eq!(first["same.html"], second["same.html"]);
    assert!(first.values().all(|time| (1_000_000_000..1_300_000_000).contains(time)));
}

#[tokio::test]
async fn an_app_without_files_is_an_artifact_too() {
    let mut stage = Stage::new();
    let failure = stage.fails().await;
    assert!(failure.what.starts_with("no command starts the app"), "{}", failure.what);
}

#[tokio::test]
async fn the_shelf_keeps_what_is_needed_and_what_is_newest() {
    let mut stage = Stage::with(&[("toehold.toml", &toml(""))]);
    let mut digests = Vec::new();
    for n in 0..5_u64 {
        stage.put("main.js", &format!("// {n}"));
        let digest = stage.passes().await.manifest.digest;
        let file =
            fs::File::open(artifact_path(&stage.dirs.artifacts, &digest)).expect("it is there");
        let made = SystemTime::now() - Duration::from_secs(1_000 - n);
        file.set_modified(made).expect("a time");
        digests.push(digest);
    }
    let shelf = &stage.dirs.artifacts;
    let keep = BTreeSet::from([digests[0].clone()]);
    let none = prune(shelf, &keep, 5, u64::MAX).expect("it can be cleared");
    assert!(none.removed.is_empty());
    let pruned = prune(shelf, &keep, 3, u64::MAX).expect("it can be cleared");
    assert_eq!(pruned.removed, [digests[2].clone(), digests[1].clone()]);
    assert!(pruned.freed_bytes > 0);
    for (index, digest) in digests.iter().enumerate() {
        let there = ![1, 2].contains(&index);
        assert_eq!(artifact_path(shelf, digest).exists(), there, "artifact {index}");
        assert_eq!(manifest_path(shelf, digest).exists(), there, "manifest {index}");
    }
    let pruned = prune(shelf, &keep, 9, 1).expect("it can be cleared");
    assert_eq!(pruned.removed.len(), 2, "what is kept stays, however large");
    assert!(artifact_path(shelf, &digests[0]).exists());
}
