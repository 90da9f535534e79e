use std::time::Duration;

use toehold_core::wire::MAX_MESSAGE_BYTES;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::*;

fn pair() -> (Reader<Vec<u32>>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let (reader, _writer) = split::<Vec<u32>, ()>(ours);
    (reader, theirs)
}

#[tokio::test]
async fn a_message_that_comes_in_pieces_is_whole_and_survives_a_caller_who_stops_waiting() {
    let (mut reader, mut peer) = pair();
    peer.write_all(b"[1,").await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(20), reader.next()).await;
    assert!(early.is_err(), "half a message was taken for one");
    peer.write_all(b"2]\n[3]\n[").await.expect("written");
    assert_eq!(reader.next().await.expect("read"), Some(vec![1, 2]));
    assert_eq!(reader.next().await.expect("read"), Some(vec![3]));
    drop(peer);
    assert!(matches!(reader.next().await, Err(LinkError::Cut)));
}

#[tokio::test]
async fn a_closed_link_ends_and_garbage_is_an_error() {
    let (mut reader, mut peer) = pair();
    peer.write_all(b"nonsense\n[7]\n").await.expect("written");
    assert!(matches!(reader.next().await, Err(LinkError::Garbled(_))));
    assert_eq!(reader.next().await.expect("read"), Some(vec![7]));
    drop(peer);
    assert_eq!(reader.next().await.expect("read"), None);
}

#[tokio::test]
async fn a_line_without_end_is_refused() {
    let (mut reader, mut peer) = pair();
    let flood = tokio::spawn(async move {
        let piece = vec![b'1'; 64 * 1024];
        for _ in 0..=MAX_MESSAGE_BYTES / piece.len() + 1 {
            if peer.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    assert!(matches!(reader.next().await, Err(LinkError::TooLong(MAX_MESSAGE_BYTES))));
    drop(reader);
    flood.await.expect("the flood ends");
}

#[tokio::test]
async fn of_who_is_not_known_no_longer_line_is_taken_than_was_said() {
    let (reader, mut peer) = pair();
    let mut reader = reader.at_most(8);
    peer.write_all(b"[1]\n[1,2,3,4,5]\n").await.expect("written");
    assert_eq!(reader.next().await.expect("read"), Some(vec![1]));
    assert!(matches!(reader.next().await, Err(LinkError::TooLong(8))));
    let (reader, mut peer) = pair();
    peer.write_all(b"[1,2,3").await.expect("written");
    peer.write_all(b",4,5,6").await.expect("written");
    // It is not waited for the end of it.
    assert!(matches!(reader.at_most(8).next().await, Err(LinkError::TooLong(8))));
}

#[tokio::test]
async fn a_socket_is_private_and_replaces_one_left_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("agent.sock");
    drop(listen(&path).expect("listens"));
    let listener = listen(&path).expect("listens again where a dead process listened");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let (dialled, accepted) = tokio::join!(dial(&path, Duration::from_secs(1)), listener.accept());
    let (_, mut writer) = split::<(), Vec<u32>>(dialled.expect("connects"));
    let (mut reader, _) = split::<Vec<u32>, ()>(accepted.expect("accepts").0);
    writer.send(&vec![1, 2, 3]).await.expect("sent");
    assert_eq!(reader.next().await.expect("read"), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn a_path_that_cannot_be_a_socket_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let long = dir.path().join("x".repeat(120));
    let said = listen(&long).expect_err("too long").to_string();
    assert!(said.contains("xxx") && said.contains("--dir"), "{said}");
    let file = dir.path().join("file");
    fs::write(&file, "precious").expect("written");
    assert!(matches!(listen(&file), Err(LinkError::NotASocket { .. })));
    assert_eq!(fs::read_to_string(&file).expect("still there"), "precious");
    let nobody = dir.path().join("nobody");
    let said = dial(&nobody, Duration::from_secs(1)).await.expect_err("nobody").to_string();
    assert!(said.contains("nobody"), "{said}");
}
