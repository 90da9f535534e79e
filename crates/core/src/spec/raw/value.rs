//! Values that are checked as they are read, so that the error stands where the value does.

use std::fmt;
use std::time;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::RawRule;
use crate::spec;
use crate::spec::error::nearest;
use crate::spec::units;

/// A value written as text: read by `$read`, described by `$expected` where it is no text at all.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $expected:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::spec) struct $name(pub(in crate::spec) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Result<$inner, String> = $read;
                        read(text).map($name).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

text!(
    /// A duration.
    Duration(time::Duration),
    "a duration such as \"30s\", \"10m\" or \"1h\"",
    units::duration
);
text!(
    /// A size, in bytes.
    Size(u64),
    "a size such as \"256MiB\"",
    units::size
);
text!(
    /// A step of a canary.
    Step(spec::Step),
    "a step such as \"5% for 2m\" or \"approve\"",
    units::step
);
text!(
    /// When an alert is raised.
    When(units::When),
    "a condition such as \"cpu > 45% for 1m\"",
    units::when
);
text!(
    /// When an alert is cleared.
    Clear(units::Clear),
    "a condition such as \"cpu < 40%\"",
    units::clear
);
text!(
    /// A command, not empty.
    Command(String),
    "a command such as \"node main.js\"",
    command
);
text!(
    /// A text on one line, not empty.
    Line(String),
    "a text",
    command
);
text!(
    /// A path of a URL.
    Path(String),
    "a path such as \"/healthz\"",
    path
);
text!(
    /// A host name, lower case.
    Host(String),
    "a host name such as \"shop.example.com\"",
    host
);
text!(
    /// A pattern of files, relative to the checkout.
    Pattern(String),
    "a pattern such as \"reports/**/*.xml\"",
    pattern
);
text!(
    /// A channel alerts are sent to.
    Channel(String),
    "`mail`, `webhook`, `slack`, `discord`, `teams` or `ntfy`",
    channel
);
text!(
    /// The name of an environment variable that an app may have.
    #[derive(PartialOrd, Eq, Ord)]
    EnvName(String),
    "the name of an environment variable",
    env_name
);
text!(
    /// The value of an environment variable.
    EnvValue(String),
    "a text: put the value in quotes",
    env_value
);
text!(
    /// The name of an alert's rule.
    #[derive(PartialOrd, Eq, Ord)]
    RuleName(String),
    "the name of a rule",
    rule_name
);
text!(
    /// The key of a flag.
    #[derive(PartialOrd, Eq, Ord)]
    FlagKey(String),
    "the key of a flag",
    flag_key
);

fn command(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty: name a command, or leave the key out".to_owned());
    }
    if text.contains('\0') {
        return Err("holds a NUL, which no command can".to_owned());
    }
    Ok(text.to_owned())
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a path: begin it with `/`, without spaces"))
    }
}

fn host(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(host)
    } else {
        Err(format!(
            "{text:?} is not a host name: write it as \"shop.example.com\", without scheme, port \
             or path"
        ))
    }
}

fn pattern(text: &str) -> Result<String, String> {
    let text = text.trim();
    let inside = !text.starts_with('/') && text.split('/').all(|part| part != "..");
    if text.is_empty() || !inside || text.contains('\0') {
        return Err(format!(
            "{text:?} is not a pattern of files in the checkout: write it as \"reports/**/*.xml\", \
             without a leading `/` and without `..`"
        ));
    }
    Ok(text.strip_prefix("./").unwrap_or(text).to_owned())
}

fn channel(text: &str) -> Result<String, String> {
    let known = spec::defaults::NOTIFY;
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(match nearest(text, &known) {
        Some(name) => format!("{text:?} is not a channel: did you mean `{name}`?"),
        None => format!(
            "{text:?} is not a channel: known are {}",
            known.map(|name| format!("`{name}`")).join(", ")
        ),
    })
}

fn env_name(text: &str) -> Result<String, String> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !text.starts_with(letter) || !text.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        return Err(format!(
            "{text:?} cannot be the name of an environment variable: use A-Z, 0-9 and _"
        ));
    }
    if matches!(text, "HOST" | "PORT" | "RELEASE" | "TRACK" | "INSTANCE")
        || text.starts_with("TOEHOLD_")
    {
        return Err(format!("`{text}` is given by Toehold: leave it out, or use another name"));
    }
    Ok(text.to_owned())
}

fn env_value(text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("holds a NUL, which no environment can".to_owned());
    }
    Ok(text.to_owned())
}

fn rule_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if (1..=40).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} cannot be the name of a rule: use 1 to 40 of a-z, 0-9, - and _"))
}

fn flag_key(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=100).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} cannot be the key of a flag: use 1 to 100 of A-Z, a-z, 0-9, -, _ and ."))
}

/// The command of a step, or `false`.
#[derive(Debug)]
pub(in crate::spec) enum StepCommand {
    /// What is run.
    Run(String),
    /// Nothing, even where a command could be detected.
    Off,
}

impl<'de> Deserialize<'de> for StepCommand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = StepCommand;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command such as \"npm test\", or `false` for none")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StepCommand, E> {
                command(text).map(StepCommand::Run).map_err(E::custom)
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<StepCommand, E> {
                if on {
                    return Err(E::custom("`true` says nothing: name a command"));
                }
                Ok(StepCommand::Off)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// What scaling aims at, or `off`.
#[derive(Clone, Copy, Debug)]
pub(in crate::spec) enum Target {
    /// In percent.
    At(f64),
    /// This metric does not scale.
    Off,
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage such as \"45%\", or \"off\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
                if text == "off" {
                    return Ok(Target::Off);
                }
                units::percent(text).map(Target::At).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Written)
    }
}

/// A rule, or `false`.
#[derive(Debug)]
pub(in crate::spec) enum Alert {
    /// What is said of it.
    On(Box<RawRule>),
    /// It is not wanted.
    Off,
}

impl<'de> Deserialize<'de> for Alert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Alert;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with `when` and `clear`, or `false` for no such alert")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Alert, E> {
                if on {
                    return Err(E::custom("`true` says nothing: leave it out, or write a table"));
                }
                Ok(Alert::Off)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Alert, A::Error> {
                let rule = RawRule::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Alert::On(Box::new(rule)))
            }
        }
        deserializer.deserialize_any(Written)
    }
}
