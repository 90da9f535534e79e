use super::*;

struct Stage {
    _dir: tempfile::TempDir,
    journals: Journals,
    id: InstanceId,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let journals = Journals::new(dir.path().join("log"));
        Self { _dir: dir, journals, id: "shop/web.1".parse().expect("an instance") }
    }

    fn write(&self, text: &str) {
        let mut file = self.journals.open(&self.id).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn tend(&self, ms: u64) {
        self.journals.tend(&self.id, Timestamp::from_ms(ms));
    }

    fn read(&self, from: LogFrom, max: u64) -> LogPiece {
        self.journals.read(&self.id, from, max).expect("read")
    }
}

#[test]
fn a_log_is_followed_by_offset_and_read_from_its_end() {
    let stage = Stage::new();
    stage.write("one\ntwo\nthree\n");
    let piece = stage.read(LogFrom::Offset(0), 10);
    assert_eq!((piece.text.as_str(), piece.end, piece.more), ("one\ntwo\n", 8, true));
    let rest = stage.read(LogFrom::Offset(piece.end), 100);
    assert_eq!((rest.text.as_str(), rest.end, rest.more), ("three\n", 14, false));
    assert_eq!(stage.read(LogFrom::Offset(14), 100).text, "");
    assert_eq!(stage.read(LogFrom::Offset(9_999), 100).end, 14, "past the end is the end");
    assert_eq!(stage.read(LogFrom::Tail(6), 100).text, "three\n");
    assert_eq!(stage.read(LogFrom::Tail(8), 100).text, "three\n");
    assert_eq!(stage.read(LogFrom::Tail(10), 100).text, "two\nthree\n");
    assert_eq!(stage.read(LogFrom::Tail(1000), 100).text, "one\ntwo\nthree\n");
}

#[test]
fn no_piece_ends_within_a_character() {
    let stage = Stage::new();
    stage.write("äöü");
    let piece = stage.read(LogFrom::Offset(0), 3);
    assert_eq!((piece.text.as_str(), piece.end), ("ä", 2));
    stage.journals.open(&stage.id).expect("opened").write_all(b"\xff\xe2\x82").expect("written");
    let rest = stage.read(LogFrom::Offset(2), 100);
    assert_eq!((rest.text.as_str(), rest.end), ("öü\u{fffd}", 7), "half a character waits");
    stage.journals.open(&stage.id).expect("opened").write_all(b"\xac").expect("written");
    assert_eq!(stage.read(LogFrom::Offset(7), 100).text, "€");
}

#[test]
fn a_log_is_read_from_a_time_on() {
    let stage = Stage::new();
    stage.write("early\n");
    stage.tend(1_000);
    stage.tend(2_000);
    stage.write("late\n");
    stage.tend(9_000);
    let since = |ms| stage.read(LogFrom::Since(Timestamp::from_ms(ms)), 100).text;
    assert_eq!(since(0), "early\nlate\n");
    assert_eq!(since(1_000), "early\nlate\n");
    assert_eq!(since(1_500), "late\n");
    assert_eq!(since(9_000), "late\n");
    assert_eq!(since(9_001), "");
}

#[test]
fn a_log_that_grows_too_long_loses_its_head_and_no_offset() {
    let mut stage = Stage::new();
    stage.journals.keep_bytes = 1 << 20;
    let line = format!("{}\n", "x".repeat(99));
    let many = line.repeat(10_000);
    for second in 1..=8 {
        stage.write(&many);
        stage.tend(second * 1_000);
    }
    let whole = stage.read(LogFrom::Offset(0), u64::MAX);
    assert!(whole.start > 1_000_000, "the head was not cut: {}", whole.start);
    assert!(!whole.text.contains('\0'), "a hole was read");
    let tail = stage.read(LogFrom::Tail(200), 1_000);
    assert_eq!((tail.text, tail.end), (line.repeat(2), 8_000_000));
    let path = stage.journals.path(&stage.id);
    let taken = fs::metadata(&path).expect("there").blocks() * 512;
    assert!(taken < 7 << 20, "{taken} bytes are taken");
    assert!(stage.read(LogFrom::Since(Timestamp::from_ms(7_500)), 9).start >= 6_900_000);
}

#[test]
fn logs_of_instances_that_are_gone_go_after_a_week() {
    let stage = Stage::new();
    stage.write("x\n");
    stage.tend(1_000);
    let week = 8 * 24 * 3600 * 1000;
    let later = Timestamp::from_ms(crate::time::now().as_ms() + week);
    stage.journals.sweep(std::slice::from_ref(&stage.id), later);
    assert_eq!(stage.read(LogFrom::Offset(0), 9).text, "x\n", "it is not gone");
    stage.journals.sweep(&[], crate::time::now());
    assert_eq!(stage.read(LogFrom::Offset(0), 9).text, "x\n", "it is not old");
    stage.journals.sweep(&[], later);
    let said = stage.journals.read(&stage.id, LogFrom::Offset(0), 9).expect_err("gone");
    assert!(said.contains("shop/web.1"), "{said}");
    assert_eq!(fs::read_dir(&stage.journals.dir).expect("there").count(), 0);
}
