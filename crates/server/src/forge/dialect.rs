//! A commit's status in the words of each forge.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::forge::report::Waiting;
use crate::forge::{Api, Place, State, Status};

/// The longest description the strictest of them shows, in characters.
const DESCRIPTION: usize = 140;

/// The longest key of Bitbucket's, in bytes.
const KEY: usize = 40;

/// Path and body of the call that sets a status. Bitbucket wants an address in any case.
pub(super) fn status(place: &Place, waiting: &Waiting, status: &Status) -> (String, Value) {
    let (repository, commit) = (&place.repository, waiting.commit.as_str());
    let (context, text) = (waiting.title(status.context), cut(&status.text));
    let link = waiting.link.as_deref();
    match place.api {
        Api::Github | Api::Gitea => {
            let mut body =
                json!({ "state": state(status.state), "context": context, "description": text });
            if let Some(link) = link {
                body["target_url"] = link.into();
            }
            (format!("/repos/{repository}/statuses/{commit}"), body)
        }
        Api::Gitlab => {
            let state = match status.state {
                State::Pending => "running",
                State::Success => "success",
                State::Failure => "failed",
                State::Error => "canceled",
            };
            let mut body = json!({ "state": state, "name": context, "description": text });
            if let Some(link) = link {
                body["target_url"] = link.into();
            }
            let project = repository.replace('/', "%2F");
            (format!("/projects/{project}/statuses/{commit}"), body)
        }
        Api::BitbucketCloud | Api::BitbucketDataCenter => {
            let is_cloud = place.api == Api::BitbucketCloud;
            let state = match status.state {
                State::Pending => "INPROGRESS",
                State::Success => "SUCCESSFUL",
                State::Failure => "FAILED",
                State::Error if is_cloud => "STOPPED",
                State::Error => "CANCELLED",
            };
            let body = json!({
                "key": short(&context), "name": context, "state": state, "description": text,
                "url": link.unwrap_or("https://localhost/"),
            });
            if is_cloud {
                return (
                    format!("/repositories/{repository}/commit/{commit}/statuses/build"),
                    body,
                );
            }
            let (project, slug) = repository.split_once('/').unwrap_or(("", repository));
            (format!("/projects/{project}/repos/{slug}/commits/{commit}/builds"), body)
        }
    }
}

/// A key that Bitbucket takes: of 40 characters at most, and another one for another name.
fn short(context: &str) -> String {
    if context.len() <= KEY {
        return context.to_owned();
    }
    let digest = hex::encode(Sha256::digest(context));
    format!("toehold/{}", &digest[..KEY - "toehold/".len()])
}

const fn state(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Success => "success",
        State::Failure => "failure",
        State::Error => "error",
    }
}

/// One line that no forge refuses for its length.
pub(super) fn cut(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= DESCRIPTION {
        return line;
    }
    line.chars().take(DESCRIPTION - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use toehold_core::model::Number;
    use toehold_core::time::Timestamp;

    use super::*;
    use crate::forge::{Context, Report};

    fn said(api: Api, repository: &str, state: State) -> (String, Value) {
        let place = Place { api, base: String::new(), repository: repository.to_owned() };
        let status = Status { context: Context::Test, state, text: "x".repeat(200) };
        let waiting = Waiting {
            app: "shop".parse().expect("a name"),
            number: Number(42),
            commit: "a".repeat(40).parse().expect("a commit"),
            link: None,
            report: Report::Status(status.clone()),
            created_at: Timestamp::default(),
            has_several: repository.contains("mono"),
        };
        super::status(&place, &waiting, &status)
    }

    #[test]
    fn each_forge_is_told_in_its_own_words() {
        let commit = "a".repeat(40);
        for (api, repository, path, state) in [
            (Api::Github, "acme/shop", format!("/repos/acme/shop/statuses/{commit}"), "error"),
            (Api::Gitea, "acme/shop", format!("/repos/acme/shop/statuses/{commit}"), "error"),
            (
                Api::Gitlab,
                "a/b/shop",
                format!("/projects/a%2Fb%2Fshop/statuses/{commit}"),
                "canceled",
            ),
            (
                Api::BitbucketCloud,
                "acme/shop",
                format!("/repositories/acme/shop/commit/{commit}/statuses/build"),
                "STOPPED",
            ),
            (
                Api::BitbucketDataCenter,
                "ACME/shop",
                format!("/projects/ACME/repos/shop/commits/{commit}/builds"),
                "CANCELLED",
            ),
        ] {
            let (found, body) = said(api, repository, State::Error);
            assert_eq!((found, &body["state"]), (path, &json!(state)), "{api:?}");
            let text = body["description"].as_str().expect("it is a text");
            assert_eq!(text.chars().count(), DESCRIPTION);
        }
        // Of several apps in one repository, none takes the place of another.
        let (_, body) = said(Api::Github, "acme/mono", State::Success);
        assert_eq!(body["context"], "toehold/shop/test");
        let (_, body) = said(Api::Gitlab, "acme/mono", State::Success);
        assert_eq!(body["name"], "toehold/shop/test");
        let long = |app: &str| short(&format!("toehold/{app}/deploy"));
        assert!(long(&"a".repeat(40)).len() <= 40 && long("shop") == "toehold/shop/deploy");
        assert_ne!(long(&"a".repeat(40)), long(&"a".repeat(39)));
        // Bitbucket's keys have at most 40 characters, and an address must be there.
        let (_, body) = said(Api::BitbucketCloud, "acme/shop", State::Pending);
        assert!(body["key"].as_str().is_some_and(|key| key.len() <= 40) && !body["url"].is_null());
    }
}
