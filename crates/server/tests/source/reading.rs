//! Reading commits and their files.

use toehold_core::model::CommitId;
use toehold_server::source::SourceError;

use crate::stage::{Stage, git};

async fn read(stage: &Stage, commit: &CommitId, path: &str) -> Result<Option<String>, String> {
    stage.repository.read_file(commit, path, 100, None).await.map_err(|error| match error {
        SourceError::Unusable { why, .. } => why,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn a_file_is_read_and_what_is_no_file_is_not() {
    let stage = Stage::new().await;
    stage.write("toehold.toml", "app = \"ü\"\n");
    stage.write("deep/er/file", "x");
    stage.write("long", "x".repeat(101));
    stage.write("just", "x".repeat(100));
    stage.write("binary", b"\xff\xfe");
    stage.write("empty", "");
    stage.write(":(glob)*", "a name git could take as a pattern");
    std::os::unix::fs::symlink("/etc/passwd", stage.work().join("link")).expect("it can be made");
    std::os::unix::fs::symlink("deep", stage.work().join("folder-link")).expect("it can be made");
    let commit = stage.commit("one");
    stage.push(&["main"]);
    let some = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(read(&stage, &commit, "toehold.toml").await, some("app = \"ü\"\n"));
    assert_eq!(read(&stage, &commit, "deep/er/file").await, some("x"));
    assert_eq!(read(&stage, &commit, "just").await, some(&"x".repeat(100)));
    assert_eq!(read(&stage, &commit, "empty").await, some(""));
    assert_eq!(read(&stage, &commit, ":(glob)*").await, some("a name git could take as a pattern"));
    for absent in ["absent", "deep/absent", "toehold.toml/x", "*", "folder-link/er/file"] {
        assert_eq!(read(&stage, &commit, absent).await, Ok(None), "{absent}");
    }
    for (path, why) in [
        ("link", "it is a link"),
        ("deep", "it is no file"),
        ("long", "it has 101 bytes, at most 100 are read"),
        ("binary", "it is not UTF-8"),
        ("../toehold.toml", "it is no path within"),
        ("/etc/passwd", "it is no path within"),
        ("./toehold.toml", "it is no path within"),
        ("deep//er", "it is no path within"),
        ("", "it is no path within"),
        ("a\0b", "it is no path within"),
    ] {
        let error = read(&stage, &commit, path).await.expect_err("it is refused");
        assert!(error.starts_with(why), "{path:?}: {error}");
    }
}

#[tokio::test]
async fn a_commit_says_who_and_what() {
    let stage = Stage::new().await;
    let args = ["commit", "--quiet", "--allow-empty", "--date=@1557933633"];
    for subject in ["-x --all", "%H%n", "ünï \u{1b}]0;title\u{7} ok", &"x".repeat(500)] {
        git(&stage.work(), &[&args[..], &["-m", subject, "-m", "more"]].concat());
        stage.push(&["main"]);
        let commit = git(&stage.work(), &["rev-parse", "HEAD"]);
        let commit = commit.trim().parse().expect("it is a commit");
        let info = stage.repository.commit_info(&commit, None).await.expect("it is here");
        let shown: String = subject.chars().filter(|c| !c.is_control()).take(200).collect();
        assert_eq!((info.subject, info.author), (shown, "Ada <ada@example.com>".to_owned()));
        assert!(info.time.as_ms() > 1_557_933_633_000);
    }
    let absent: CommitId = "1".repeat(40).parse().expect("it is a commit");
    let error = stage.repository.commit_info(&absent, None).await.expect_err("it is not here");
    assert!(error.to_string().starts_with("cannot read commit 1111111: git ended"), "{error}");
}
