//! What `toehold why` can be asked of, as people write it.

use toehold_core::model::{AppName, InstanceId, Number, Subject};

/// Reads `app`, `rollout`, `#42` or `42`, `web.3`, `alert/2`, `flag/NAME`. A rollout is the one of
/// `canary`, the release on the canary track.
pub(crate) fn parse(text: &str, app: &AppName, canary: Option<Number>) -> Option<Subject> {
    match text {
        "app" => return Some(Subject::App),
        "rollout" | "canary" => return canary.map(Subject::Rollout),
        _ => {}
    }
    if let Some(key) = text.strip_prefix("flag/").filter(|key| !key.is_empty()) {
        return Some(Subject::Flag(key.to_owned()));
    }
    if let Some(id) = text.strip_prefix("alert/") {
        return id.parse().ok().map(Subject::Alert);
    }
    if let Some(number) = text.strip_prefix("rollout/") {
        return number.parse().ok().map(Subject::Rollout);
    }
    if let Some(ordinal) = text.strip_prefix("web.") {
        return ordinal.parse().ok().map(|it| Subject::Instance(InstanceId::new(app.clone(), it)));
    }
    let digits = text.strip_prefix("release/").unwrap_or(text);
    digits.parse().ok().map(Subject::Release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_people_write_it() {
        let app: AppName = "shop".parse().expect("a name");
        let read = |text| parse(text, &app, Some(Number(43)));
        assert_eq!(read("rollout"), Some(Subject::Rollout(Number(43))));
        assert_eq!(read("#42"), Some(Subject::Release(Number(42))));
        assert_eq!(read("42"), Some(Subject::Release(Number(42))));
        assert_eq!(read("web.3"), Some(Subject::Instance(InstanceId::new(app.clone(), 3))));
        assert_eq!(read("alert/2"), Some(Subject::Alert(2)));
        assert_eq!(read("flag/a/b"), Some(Subject::Flag("a/b".into())));
        for wrong in ["", "web.", "web.x", "alert/", "flag/", "#", "everything"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert_eq!(parse("rollout", &app, None), None, "there is no canary");
    }
}
