use std::fs;

use toehold_core::model::Digest;

use super::*;
use crate::dial::ControlPlane;
use crate::scene::{at_once, placed};

/// A machine on which nobody can be asked for anything.
fn shop(dir: &Path) -> Shop {
    Shop::open(dir, ControlPlane::Here(dir.join("nobody"))).expect("opened")
}

/// An artifact that was brought here and is not unpacked yet.
fn brought(shop: &Shop, placed: &mut Placed) -> PathBuf {
    let tar = tar::Builder::new(Vec::new()).into_inner().expect("packed");
    placed.artifact = Digest::of(&tar);
    let packed = shop.packed(&placed.artifact);
    fs::create_dir_all(shop.dir.join("artifacts")).expect("a folder");
    fs::write(&packed, zstd::encode_all(&*tar, 3).expect("packed")).expect("written");
    packed
}

#[tokio::test]
async fn what_lies_here_waits_for_nothing_that_is_brought() {
    let dir = tempfile::tempdir().expect("a folder");
    let (shop, mut shops) = (shop(dir.path()), placed("shop/web.1"));
    let packed = brought(&shop, &mut shops);
    let folder = unpacked(&shop, &shops).await.expect("it is whole");
    assert!(!packed.exists(), "it has served");
    let mut turns = Vec::new();
    loop {
        let another = Digest::of(&turns.len().to_le_bytes());
        let Some(turn) = at_once(shop.bringing.turn(&another)).await else { break };
        turns.push(turn);
    }
    let other = placed("blog/web.1");
    assert!(at_once(unpacked(&shop, &other)).await.is_none(), "it is not here");
    let found = at_once(unpacked(&shop, &shops)).await.expect("it waited for what others need");
    assert_eq!(found.expect("it is whole"), folder);
}

#[tokio::test]
async fn what_this_machine_could_not_unpack_need_not_come_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let (shop, mut placed) = (shop(dir.path()), placed("shop/web.1"));
    let packed = brought(&shop, &mut placed);
    let releases = shop.dir.join("releases");
    fs::write(&releases, "no folder can be made here").expect("written");
    let fault = unpacked(&shop, &placed).await.expect_err("there is no room");
    assert!(!fault.lasting, "{}", fault.why);
    assert!(packed.exists(), "it has to come again");
    fs::remove_file(&releases).expect("removed");
    unpacked(&shop, &placed).await.expect("there is room again");
    assert!(!packed.exists(), "it has served");
    // What is wrong does not stay.
    placed.artifact = Digest::of(b"something else");
    let wrong = shop.packed(&placed.artifact);
    fs::write(&wrong, "garbled").expect("written");
    unpacked(&shop, &placed).await.expect_err("it is wrong, and nobody has another");
    assert!(!wrong.exists(), "it would be found wrong for ever");
}

#[test]
fn one_program_takes_the_place_of_the_shell() {
    let made = |command| instead_of_the_shell(command) != command;
    for simple in ["node main.js", " ./run --port $PORT", "python3 -m http.server \"$PORT\""] {
        assert!(made(simple), "{simple}");
    }
    for other in [
        "exec node main.js",
        "cd web && node main.js",
        "A=1 node main.js",
        "node main.js | tee log",
        "export A=1; node main.js",
        "",
    ] {
        assert!(!made(other), "{other}");
    }
}
