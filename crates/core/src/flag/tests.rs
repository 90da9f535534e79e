use super::*;

fn key(text: &str) -> FlagKey {
    text.parse().expect("it is a key")
}

fn app() -> AppName {
    "shop".parse().expect("it is a name")
}

fn hand(app: &AppName, second: u64) -> Hand<'_> {
    Hand { app, actor: "ada", now: Timestamp::from_ms(second * 1000) }
}

fn declared(flags: &[(&str, bool)]) -> BTreeMap<String, bool> {
    flags.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}

/// The set that an app has which declares `feature1`, on.
fn one() -> FlagSet {
    let change =
        FlagSet::default().merge_declared(&declared(&[("feature1", true)]), hand(&app(), 1));
    change.expect("the key is good").expect("it is new").set
}

#[test]
fn a_flag_is_on_or_off_for_everyone() {
    let set = one();
    let on = Evaluation { value: true, variant: "on", reason: "STATIC", version: 1 };
    assert_eq!(set.evaluate(&key("feature1")), Some(on));
    let set = set.set(&key("feature1"), false, hand(&app(), 2)).expect("it changes").set;
    let off = Evaluation { value: false, variant: "off", reason: "STATIC", version: 2 };
    assert_eq!(set.evaluate(&key("feature1")), Some(off));
    assert_eq!(set.evaluate(&key("feature2")), None);
}

#[test]
fn a_change_says_who_and_from_what_to_what() {
    let app = app();
    let change = one().toggle(&key("feature1"), hand(&app, 9)).expect("it is there");
    let flag = &change.set.flags[&key("feature1")];
    assert_eq!((flag.value, flag.default, flag.version), (false, true, 2));
    assert_eq!((flag.changed_by.as_str(), flag.changed_at.as_ms()), ("ada", 9000));
    let [event] = change.events.as_slice() else { panic!("one event: {:?}", change.events) };
    assert_eq!(event.kind, EventKind::FlagChanged);
    assert_eq!(event.subject, Subject::Flag("feature1".into()));
    assert_eq!((event.actor.as_str(), event.at.as_ms()), ("ada", 9000));
    assert_eq!(event.app.as_ref(), Some(&app));
    assert_eq!(event.text, "flag feature1 went from on to off");
    assert_eq!(event.facts, json!({ "old": true, "new": false, "version": 2 }));
}

#[test]
fn setting_what_is_so_already_changes_nothing() {
    assert_eq!(one().set(&key("feature1"), true, hand(&app(), 2)), None);
}

#[test]
fn setting_a_new_flag_makes_it() {
    let change = one().set(&key("a/b.c-d_e"), false, hand(&app(), 2)).expect("it is new");
    assert_eq!(change.set.flags.len(), 2);
    assert_eq!(change.events[0].facts, json!({ "old": null, "new": false, "version": 1 }));
    assert_eq!(change.events[0].text, "flag a/b.c-d_e is there and is off");
}

#[test]
fn an_unknown_flag_has_no_other_side() {
    assert_eq!(one().toggle(&key("feature2"), hand(&app(), 2)), None);
}

#[test]
fn a_configuration_adds_flags_and_never_sets_one() {
    let app = app();
    let set = one().set(&key("feature1"), false, hand(&app, 2)).expect("it changes").set;
    let wish = declared(&[("feature1", true), ("feature2", true), ("feature3", false)]);
    let change = set.merge_declared(&wish, hand(&app, 3)).expect("the keys are good");
    let change = change.expect("two are new");
    let values: Vec<bool> = change.set.flags.values().map(|flag| flag.value).collect();
    assert_eq!(values, [false, true, false]);
    assert_eq!(change.events.len(), 2);
    assert_eq!(change.set.merge_declared(&wish, hand(&app, 4)), Ok(None));
}

#[test]
fn a_key_that_cannot_be_one_adds_nothing() {
    let wish = declared(&[("good", true), ("not good", true)]);
    assert!(FlagSet::default().merge_declared(&wish, hand(&app(), 1)).is_err());
    let long = "x".repeat(129);
    for bad in ["", "-x", "/x", ".", "a b", "ä", "a\0", "a:b", "a\n", long.as_str()] {
        assert!(bad.parse::<FlagKey>().is_err(), "{bad:?} was taken");
    }
    for good in ["a", "9", "A/b.c_d-e", "a//b", &long[..128]] {
        assert!(good.parse::<FlagKey>().is_ok(), "{good:?} was refused");
    }
}

#[test]
fn the_document_is_read_as_it_is_written() {
    let text = serde_json::to_string(&one()).expect("it can be written");
    assert_eq!(
        text,
        r#"{"flags":{"feature1":{"value":true,"default":true,"changed_at":1000,"changed_by":"ada","version":1}}}"#
    );
    assert_eq!(serde_json::from_str::<FlagSet>(&text).expect("it can be read"), one());
    let bad = text.replace("feature1", "fea ture");
    assert!(serde_json::from_str::<FlagSet>(&bad).is_err());
}
