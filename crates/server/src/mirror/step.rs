//! What is done about one key: pure, from what should be there, what is there, and what we put
//! there last.

/// What a key should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The text.
    pub value: String,
    /// Whether it is a flag, which others may set too.
    pub is_flag: bool,
}

/// What Redis holds of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// What is there.
    pub(super) is: Option<String>,
    /// What we put there last, as the same Redis remembers it: written in one step with the value,
    /// so that a failover that loses the one loses the other.
    pub(super) was: Option<String>,
    /// What we took over from somebody and have not put down as ours yet.
    pub(super) told: Option<String>,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as it should be.
    Leave,
    /// It is written as it should be.
    Write,
    /// Somebody else set it to this: that is what it should be from now on.
    Adopt(bool),
}

/// What is done about a key.
pub(super) fn step(wanted: &Wanted, held: &Held, adopt: bool) -> Step {
    let is_right = held.is.as_ref() == Some(&wanted.value);
    if is_right && (!wanted.is_flag || held.was == held.is) {
        return Step::Leave;
    }
    // Only what we put there can have been changed by somebody: in a Redis that is new, was
    // flushed, or went back to an earlier state, what differs is old. What was just taken over is
    // remembered here alone, and whoever turns it back at once does not mean what it was before.
    let differs = |before: &Option<String>| before.is_some() && *before != held.is;
    let was_changed = differs(&held.was) || differs(&held.told);
    match held.is.as_deref() {
        Some("true") if wanted.is_flag && adopt && was_changed && !is_right => Step::Adopt(true),
        Some("false") if wanted.is_flag && adopt && was_changed && !is_right => Step::Adopt(false),
        _ => Step::Write,
    }
}

/// The key beside a flag's that remembers what we put there: in a cluster it lies in the same slot,
/// since only what is in braces counts for that.
pub(super) fn beside(key: &str) -> String {
    format!("toehold:was:{{{key}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(wanted: &str, is: &str, was: &str) -> Step {
        let text = |text: &str| Some(text.to_owned()).filter(|text| text != "-");
        let wanted = Wanted { value: wanted.into(), is_flag: true };
        step(&wanted, &Held { is: text(is), was: text(was), told: None }, true)
    }

    #[test]
    fn what_is_turned_back_before_it_was_put_down_as_ours_is_adopted_too() {
        let text = |text: &str| Some(text.to_owned());
        let wanted = Wanted { value: "false".into(), is_flag: true };
        let held = Held { is: text("true"), was: text("true"), told: text("false") };
        assert_eq!(step(&wanted, &held, true), Step::Adopt(true));
        let late = Wanted { value: "true".into(), is_flag: true };
        let held = Held { is: text("false"), was: text("true"), told: text("false") };
        assert_eq!(step(&late, &held, true), Step::Adopt(false), "it is not taken over yet");
    }

    #[test]
    fn what_others_set_is_adopted_and_what_makes_no_sense_is_put_right() {
        for (wanted, is, was, what, why) in [
            ("true", "true", "true", Step::Leave, "all is well"),
            ("true", "-", "-", Step::Write, "it is new or was flushed"),
            ("false", "true", "true", Step::Write, "we changed it"),
            ("true", "false", "true", Step::Adopt(false), "somebody turned it"),
            ("false", "true", "false", Step::Adopt(true), "somebody turned it"),
            ("true", "TRUE", "true", Step::Write, "rubbish"),
            ("true", "", "true", Step::Write, "rubbish"),
            ("true", "-", "true", Step::Write, "somebody deleted it"),
            ("true", "false", "-", Step::Write, "it was there before us"),
            ("false", "true", "true", Step::Write, "a failover went back to before our write"),
            ("false", "false", "true", Step::Write, "it was adopted; now it is ours"),
        ] {
            assert_eq!(said(wanted, is, was), what, "{why}");
        }
    }

    #[test]
    fn an_alert_is_never_adopted_nor_anything_where_that_is_not_wished() {
        let held = Held { is: Some("no".into()), was: Some("yes".into()), told: None };
        let alert = Wanted { value: "yes".into(), is_flag: false };
        assert_eq!(step(&alert, &held, true), Step::Write);
        let flag = Wanted { value: "true".into(), is_flag: true };
        let held = Held { is: Some("false".into()), was: Some("true".into()), told: None };
        assert_eq!(step(&flag, &held, false), Step::Write);
    }

    #[test]
    fn what_is_remembered_lies_in_the_slot_of_its_key() {
        assert_eq!(beside("feature1"), "toehold:was:{feature1}");
    }
}
