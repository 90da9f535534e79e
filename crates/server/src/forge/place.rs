//! Where a forge's API is, and which it speaks.

/// An API: Bitbucket has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// GitHub's.
    Github,
    /// GitLab's.
    Gitlab,
    /// Gitea's, which is Forgejo's too.
    Gitea,
    /// Bitbucket's in the cloud.
    BitbucketCloud,
    /// Bitbucket's on a team's own server.
    BitbucketDataCenter,
}

/// A repository, as its API is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The API.
    pub api: Api,
    /// Where it is: `https://api.github.com`.
    pub base: String,
    /// `owner/name`.
    pub repository: String,
}

impl Place {
    /// The place of `repository` at `forge`, which is cloned from `url`; where its API is follows
    /// from that, unless it is said. `None` where neither tells.
    #[must_use]
    pub fn of(forge: &str, url: &str, api_url: Option<&str>, repository: &str) -> Option<Self> {
        let host = host_of(url);
        let origin = host.map(|host| match url.split_once("://") {
            Some((scheme @ ("http" | "https"), _)) => format!("{scheme}://{host}"),
            // A port of SSH is none of the API.
            _ => format!("https://{}", host.split(':').next().unwrap_or(host)),
        });
        let (api, usual) = match (forge, host) {
            ("github", Some("github.com")) => {
                (Api::Github, Some("https://api.github.com".to_owned()))
            }
            ("github", _) => (Api::Github, origin.map(|it| format!("{it}/api/v3"))),
            ("gitlab", _) => (Api::Gitlab, origin.map(|it| format!("{it}/api/v4"))),
            ("gitea" | "forgejo", _) => (Api::Gitea, origin.map(|it| format!("{it}/api/v1"))),
            ("bitbucket", Some("bitbucket.org")) => {
                (Api::BitbucketCloud, Some("https://api.bitbucket.org/2.0".to_owned()))
            }
            ("bitbucket", _)
                if api_url.is_some_and(|it| it.trim_end_matches('/').ends_with("/2.0")) =>
            {
                (Api::BitbucketCloud, None)
            }
            ("bitbucket", _) => {
                (Api::BitbucketDataCenter, origin.map(|it| format!("{it}/rest/api/1.0")))
            }
            _ => return None,
        };
        let base = api_url.map(str::to_owned).or(usual)?;
        let repository = repository.trim_end_matches(".git").to_owned();
        Some(Self { api, base: base.trim_end_matches('/').to_owned(), repository })
    }
}

/// `host` or `host:port` of an address git takes; `None` of one of this machine's files.
fn host_of(url: &str) -> Option<&str> {
    let authority = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split('/').next()?,
        None if url.starts_with('/') => return None,
        None => url.split_once(':')?.0,
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_api_is_follows_from_where_it_is_cloned_from() {
        for (forge, url, api, base) in [
            ("github", "https://github.com/a/b.git", Api::Github, "https://api.github.com"),
            ("github", "git@github.com:a/b.git", Api::Github, "https://api.github.com"),
            ("github", "https://ghe.acme.com/a/b", Api::Github, "https://ghe.acme.com/api/v3"),
            (
                "gitlab",
                "ssh://git@git.acme.com:2222/a/b",
                Api::Gitlab,
                "https://git.acme.com/api/v4",
            ),
            ("forgejo", "http://127.0.0.1:3000/a/b", Api::Gitea, "http://127.0.0.1:3000/api/v1"),
            (
                "bitbucket",
                "git@bitbucket.org:a/b",
                Api::BitbucketCloud,
                "https://api.bitbucket.org/2.0",
            ),
            (
                "bitbucket",
                "https://git.acme.com/scm/a/b.git",
                Api::BitbucketDataCenter,
                "https://git.acme.com/rest/api/1.0",
            ),
        ] {
            let place = Place::of(forge, url, None, "a/b").expect(url);
            assert_eq!((place.api, place.base.as_str()), (api, base), "{url}");
        }
    }

    #[test]
    fn what_is_said_counts() {
        let place = Place::of("gitea", "file:///srv/b.git", Some("http://here:1/api/"), "a/b.git");
        let place = place.expect("it is said");
        assert_eq!((place.base.as_str(), place.repository.as_str()), ("http://here:1/api", "a/b"));
        assert_eq!(Place::of("gitea", "file:///srv/b.git", None, "a/b"), None);
        let cloud = Place::of("bitbucket", "file:///b", Some("http://x/2.0"), "a/b");
        assert_eq!(cloud.map(|it| it.api), Some(Api::BitbucketCloud));
    }
}
