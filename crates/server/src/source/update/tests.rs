use super::*;

const A: &str = "1111111111111111111111111111111111111111";
const B: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn one(line: &str) -> RefUpdate {
    let mut updates = parse(line.as_bytes()).expect("it is what git says");
    assert_eq!(updates.len(), 1);
    updates.remove(0)
}

fn id(text: &str) -> CommitId {
    text.parse().expect("it is a commit")
}

#[test]
fn pushes_deletions_tags_and_the_rest_are_told_apart() {
    let main: BranchName = "main".parse().expect("it is a branch");
    assert_eq!(
        one(&format!("{A} {B} refs/heads/main\n")),
        RefUpdate::Branch { branch: main.clone(), old: Some(id(A)), new: id(B) }
    );
    assert_eq!(
        one(&format!("{ZERO} {B} refs/heads/main\n")),
        RefUpdate::Branch { branch: main.clone(), old: None, new: id(B) }
    );
    assert_eq!(
        one(&format!("{A} {ZERO} refs/heads/main")),
        RefUpdate::BranchDeleted { branch: main, old: id(A) }
    );
    assert_eq!(
        one(&format!("{ZERO} {B} refs/tags/v1.2\n")),
        RefUpdate::Tag { name: "v1.2".into() }
    );
    assert_eq!(
        one(&format!("{ZERO} {B} refs/notes/commits\n")),
        RefUpdate::Other { name: "refs/notes/commits".into() }
    );
    assert_eq!(
        one(&format!("{ZERO} {B} refs/toehold/deploys/{B}\n")),
        RefUpdate::Own { name: format!("refs/toehold/deploys/{B}") }
    );
}

#[test]
fn a_branch_whose_name_we_could_not_handle_is_no_branch() {
    let long = "x".repeat(5000);
    for name in ["a\u{fffd}", "--upload-pack=x", "a b", long.as_str()] {
        let update = one(&format!("{ZERO} {B} refs/heads/{name}"));
        if name == "a\u{fffd}" {
            assert!(matches!(update, RefUpdate::Branch { .. }), "{update:?}");
        } else {
            assert!(matches!(update, RefUpdate::Other { .. }), "{update:?}");
        }
    }
}

#[test]
fn what_git_would_not_say_is_refused() {
    for bad in [
        "x",
        &format!("{A} {B}"),
        &format!("{A} {B} "),
        &format!("{ZERO} {ZERO} refs/heads/main"),
        &format!("{A} {} refs/heads/main", &B[1..]),
        &format!("{A} {}2 refs/heads/main", &B[1..].replace('2', "G")),
    ] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
    }
    let many = format!("{A} {B} refs/heads/main\n").repeat(MAX_UPDATES + 1);
    assert_eq!(parse(many.as_bytes()), Err(UpdateError::TooMany));
    assert_eq!(parse(b""), Ok(Vec::new()));
}

#[test]
fn a_name_that_is_not_utf_8_does_no_harm() {
    let line = [format!("{A} {B} refs/tags/").as_bytes(), b"\xff\xfe"].concat();
    assert_eq!(parse(&line), Ok(vec![RefUpdate::Tag { name: "\u{fffd}\u{fffd}".into() }]));
}

#[test]
fn an_unmapped_branch_says_how_to_map_it() {
    assert_eq!(toml_key("next-1"), "next-1");
    assert_eq!(toml_key("feature/x"), "\"feature/x\"");
    assert_eq!(toml_key("a\"b"), "\"a\\\"b\"");
    let branch: BranchName = "feature/x".parse().expect("it is a branch");
    let text = Unmapped { key: toml_key(branch.as_str()), branch }.to_string();
    assert!(text.contains("write `\"feature/x\" = \"canary\"`"), "{text}");
}
