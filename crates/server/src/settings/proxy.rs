//! `[proxy]`: what is set for the proxy.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toehold_core::spec::duration;

/// What is set for the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// The file that gets a line for each request; none where absent.
    pub access_log: Option<PathBuf>,
    /// What such a line looks like.
    pub access_log_format: LogFormat,
    /// How long answers that are under way may go on in a process that another one took over from;
    /// five minutes where absent.
    pub drain: Option<Drain>,
    /// The same of upgraded connections; half an hour where absent.
    pub tunnel_drain: Option<Drain>,
}

/// How long something may go on: `"5m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Drain(pub Duration);

impl TryFrom<String> for Drain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

/// What a line of an access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// An object in JSON.
    #[default]
    Json,
    /// The combined format of other servers.
    Combined,
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::settings::Settings;

    #[test]
    fn what_is_under_way_may_go_on_for_as_long_as_is_set() {
        let parse = |more: &str| {
            Settings::parse(&format!("[proxy]\n{more}"), Path::new("server.toml"))
                .map(|settings| [settings.proxy.drain, settings.proxy.tunnel_drain])
                .map_err(|error| std::error::Error::source(&error).expect("why").to_string())
        };
        assert_eq!(parse(""), Ok([None, None]));
        let set = parse("drain = \"90s\"\ntunnel_drain = \"2h\"\n").expect("they are set");
        let set = set.map(|it| it.map(|drain| drain.0));
        assert_eq!(set, [Some(Duration::from_secs(90)), Some(Duration::from_hours(2))]);
        let why = parse("drain = \"soon\"\n").expect_err("it is none");
        assert!(why.contains("is not a duration"), "{why}");
    }
}
