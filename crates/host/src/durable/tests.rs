use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("placement");
    (dir, path)
}

#[test]
fn what_was_saved_is_loaded_and_nothing_is_nothing() {
    let (_dir, path) = place();
    assert_eq!(load::<Vec<u32>>(&path).expect("read"), None);
    save(&path, &vec![1, 2]).expect("saved");
    save(&path, &vec![3]).expect("saved");
    assert_eq!(load::<Vec<u32>>(&path).expect("read"), Some(vec![3]));
}

#[test]
fn a_torn_file_gives_way_to_the_one_before() {
    let (_dir, path) = place();
    save(&path, &vec![1, 2]).expect("saved");
    save(&path, &vec![3]).expect("saved");
    let whole = fs::read(&path).expect("read");
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).expect("torn");
        assert_eq!(load::<Vec<u32>>(&path).expect("read"), Some(vec![1, 2]), "cut at {cut}");
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(load::<Vec<u32>>(&path).expect("read"), Some(vec![1, 2]));
}

#[test]
fn a_flipped_bit_is_seen_and_two_damaged_files_are_named() {
    let (_dir, path) = place();
    save(&path, &vec![11]).expect("saved");
    fs::write(&path, fs::read_to_string(&path).expect("read").replace("11", "12"))
        .expect("flipped");
    let said = load::<Vec<u32>>(&path).expect_err("damaged").to_string();
    assert!(said.contains("placement"), "{said}");
}

#[test]
fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = place();
    write(&path, b"secret").expect("written");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&path).expect("read"), b"secret");
}
