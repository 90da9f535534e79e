//! Routes: who gets which release.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{InstanceId, Number, Track};

/// What the proxy should do for one app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Grows by one with each change; the proxy never goes back to a smaller one.
    pub rev: u64,
    /// At most one arm a track, stable first. None: no release can serve yet.
    pub arms: Vec<Arm>,
}

/// One release and its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The track it stands for.
    pub track: Track,
    /// The release.
    pub release: Number,
    /// Its share is `weight` of the sum of all arms' weights; 0 is no new request.
    pub weight: u32,
    /// The instances that take its requests; never empty where the weight is above 0.
    pub targets: Vec<Target>,
}

/// An instance as the proxy sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which instance.
    pub instance: InstanceId,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// The shares of stable and canary, as small whole numbers: `2:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Split {
    stable: u32,
    canary: u32,
}

/// A split nobody can use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{given:?} is not a split: write stable:canary as `2:1`, or the canary's share as `20%`")]
pub struct SplitError {
    given: String,
}

impl Split {
    /// Everyone gets stable.
    pub const ALL_STABLE: Self = Self { stable: 1, canary: 0 };

    /// Two of three get stable: the default of a canary.
    pub const DEFAULT: Self = Self { stable: 2, canary: 1 };

    /// The largest number on either side.
    const LARGEST: u32 = 10_000;

    /// `stable` parts to `canary` parts; `None` where both are 0 or one is above 10 000.
    #[must_use]
    pub const fn new(stable: u32, canary: u32) -> Option<Self> {
        if stable > Self::LARGEST || canary > Self::LARGEST || stable + canary == 0 {
            return None;
        }
        Some(Self { stable, canary })
    }

    /// Stable's parts.
    #[must_use]
    pub const fn stable(self) -> u32 {
        self.stable
    }

    /// The canary's parts.
    #[must_use]
    pub const fn canary(self) -> u32 {
        self.canary
    }

    /// The canary's share, from 0 to 1.
    #[must_use]
    pub fn canary_share(self) -> f64 {
        f64::from(self.canary) / f64::from(self.stable + self.canary)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stable, self.canary)
    }
}

impl FromStr for Split {
    type Err = SplitError;

    /// `2:1`, or `20%` for the canary's share (at most two decimals).
    fn from_str(text: &str) -> Result<Self, SplitError> {
        let wrong = || SplitError { given: text.chars().take(40).collect() };
        if let Some((stable, canary)) = text.split_once(':') {
            let part = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
            return Self::new(part(stable)?, part(canary)?).ok_or_else(wrong);
        }
        let percent = text.strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, hundredths) = percent.split_once('.').unwrap_or((percent, ""));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || (percent.contains('.') && !digits(hundredths)) || hundredths.len() > 2
        {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let hundredths: u32 = format!("{hundredths:0<2}").parse().map_err(|_| wrong())?;
        let canary = whole.checked_mul(100).and_then(|n| n.checked_add(hundredths));
        match canary {
            Some(canary) if canary <= Self::LARGEST => {
                let common = greatest_common_divisor(canary, Self::LARGEST - canary);
                Self::new((Self::LARGEST - canary) / common, canary / common).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl TryFrom<String> for Split {
    type Error = SplitError;

    fn try_from(text: String) -> Result<Self, SplitError> {
        text.parse()
    }
}

impl From<Split> for String {
    fn from(split: Split) -> String {
        split.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_parts_or_a_percentage() {
        for (given, read) in
            [("2:1", "2:1"), ("20%", "4:1"), ("0%", "1:0"), ("100%", "0:1"), ("0.5%", "199:1")]
        {
            assert_eq!(given.parse::<Split>().expect(given).to_string(), read);
        }
        for bad in ["", "2", "2:", ":", "0:0", "-1:2", "101%", "1.234%", "2:1:1", "%", "1.%"] {
            assert!(bad.parse::<Split>().is_err(), "{bad:?} was allowed");
        }
    }
}
