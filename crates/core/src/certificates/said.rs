//! What is said of certificates, in words: which host, what the CA said, what to do.

use serde::{Deserialize, Serialize};

use crate::certificates::Certificate;
use crate::plain;
use crate::tell;
use crate::time::Timestamp;

/// The most of what somebody else said that is repeated, in characters.
const THEIRS: usize = 400;

/// How it is proved that a host is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// A file that the CA asks for on port 80.
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate that the CA is shown on port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The CA said no, in an error document of ACME.
    Said {
        /// The last part of the error's type: `dns`, `rateLimited`.
        kind: String,
        /// What it says.
        detail: String,
    },
    /// The CA could not be asked, or what it answered cannot be understood.
    Unasked(String),
    /// The CA does not offer the challenge that is set.
    NoChallenge,
    /// No proxy is there to show what the CA wants to see.
    NoProxy,
    /// A proxy cannot show it.
    Unshown(String),
    /// It took too long.
    TooLong,
    /// What came is not what was asked for, or could not be kept.
    Unusable(String),
}

impl Challenge {
    /// Its name in ACME.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

/// A certificate came.
#[must_use]
pub fn issued(host: &str, ca: &str, until: Timestamp, renewed: bool) -> String {
    let what = if renewed { "a new certificate" } else { "a certificate" };
    format!("{host} has {what} of {ca}, good until {until}")
}

/// An order failed, and [`why`].
#[must_use]
pub fn failed(host: &str, why: &str, again_at: Timestamp) -> String {
    format!("no certificate for {host}: {why}. It is tried again at {again_at}")
}

/// A certificate ends soon.
#[must_use]
pub fn expiring(
    host: &str,
    certificate: &Certificate,
    now: Timestamp,
    why: Option<&str>,
) -> String {
    let until = certificate.not_after;
    let end = if until <= now {
        format!("the certificate of {host} ended at {until}: browsers refuse it")
    } else {
        let left = tell::duration(until.since(now));
        format!(
            "the certificate of {host} ends in {left}, at {until}, and could not be renewed yet"
        )
    };
    match why {
        Some(why) => format!("{end}. The last time: {why}"),
        None => end,
    }
}

/// Why an order failed, and what to do. `ca` is the host of the CA.
#[must_use]
pub fn why(host: &str, ca: &str, challenge: Challenge, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Said { kind, detail } => {
            let detail = plain::line(detail, THEIRS);
            let said = if detail.is_empty() { kind.as_str() } else { detail.trim_end_matches('.') };
            let advice = advice(host, ca, challenge, kind);
            let end = if advice.ends_with('?') { "" } else { "." };
            format!("{advice}{end} It said: {said}")
        }
        Refusal::Unasked(why) => {
            format!("{ca} could not be asked: {}", plain::line(why, THEIRS))
        }
        Refusal::NoChallenge => {
            let name = challenge.as_str();
            format!(
                "{ca} does not offer {name} for it: set another `challenge` in [acme] of server.toml"
            )
        }
        Refusal::NoProxy => {
            "no proxy is connected that could answer the CA: see `toehold doctor`".into()
        }
        Refusal::Unshown(why) => {
            format!("the proxy could not be made to answer the CA: {}", plain::line(why, THEIRS))
        }
        Refusal::TooLong => format!("{ca} had not decided after some minutes"),
        Refusal::Unusable(why) => {
            format!("what {ca} gave cannot be used: {}", plain::line(why, THEIRS))
        }
    }
}

/// What an error of ACME (RFC 8555, 6.7) means for whoever must do something about it.
fn advice(host: &str, ca: &str, challenge: Challenge, kind: &str) -> String {
    let place = match challenge {
        Challenge::Http01 => format!("http://{host}/.well-known/acme-challenge/…"),
        Challenge::TlsAlpn01 => format!("{host}:443"),
    };
    let port = match challenge {
        Challenge::Http01 => "80",
        Challenge::TlsAlpn01 => "443",
    };
    match kind {
        "connection" | "tls" => {
            format!("{ca} could not reach {place}: does the name lead here, is port {port} open?")
        }
        "unauthorized" | "incorrectResponse" => format!(
            "{ca} found something else at {place} than Toehold shows there: does the name lead here, \
             and does anything stand in front of it?"
        ),
        "dns" => format!(
            "{ca} found no address for {host}: is there an A or AAAA record, and has it spread?"
        ),
        "caa" => format!(
            "a CAA record of {host}, or of a name above it, allows other CAs alone: let it name {ca}'s"
        ),
        "rateLimited" => format!("{ca} has heard enough of {host} for a while, and that passes"),
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            format!(
                "{ca} gives none for that name: take it out of `hosts`, or set another `directory`"
            )
        }
        "externalAccountRequired" => format!(
            "{ca} wants an account that was made with it before: say its `eab_key_id` and \
             `eab_key_file` in [acme] of server.toml"
        ),
        "invalidContact" | "unsupportedContact" => {
            format!("{ca} does not take the `email` in [acme] of server.toml: is it right?")
        }
        "userActionRequired" => {
            format!("{ca} wants that somebody reads its terms again, and says where")
        }
        _ => format!("{ca} refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Origin;

    const HOST: &str = "shop.example.com";

    fn said(kind: &str, detail: &str) -> Refusal {
        Refusal::Said { kind: kind.into(), detail: detail.into() }
    }

    #[test]
    fn each_failure_says_which_host_what_the_ca_said_and_what_to_do() {
        let again = Timestamp::from_ms(1_800_000_000_000);
        for (challenge, refusal, parts) in [
            (
                Challenge::Http01,
                said("connection", "203.0.113.7: Timeout during connect."),
                [
                    "ca.example could not reach http://shop.example.com/.well-known/acme-challenge/…: does \
                 the name lead here, is port 80 open?",
                    "It said: 203.0.113.7: Timeout during connect. It",
                ],
            ),
            (
                Challenge::TlsAlpn01,
                said("tls", ""),
                ["shop.example.com:443: does", "port 443 open? It said: tls"],
            ),
            (Challenge::Http01, said("dns", "NXDOMAIN"), ["A or AAAA record", "NXDOMAIN"]),
            (Challenge::Http01, said("caa", "x"), ["CAA record", "let it name ca.example's"]),
            (Challenge::Http01, said("rateLimited", "too many"), ["for a while", "too many"]),
            (Challenge::Http01, said("new\u{1b}[2J", "a\nb\u{1b}[31mc"), ["refused", "a b [31mc"]),
            (Challenge::Http01, Refusal::NoProxy, ["no proxy", "toehold doctor"]),
            (Challenge::TlsAlpn01, Refusal::NoChallenge, ["tls-alpn-01", "`challenge`"]),
            (
                Challenge::Http01,
                Refusal::Unasked("timed out".into()),
                ["could not be asked", "timed out"],
            ),
        ] {
            let text = failed(HOST, &why(HOST, "ca.example", challenge, &refusal), again);
            assert!(text.starts_with("no certificate for shop.example.com: "), "{text}");
            assert!(text.ends_with("It is tried again at 2027-01-15T08:00:00.000Z"), "{text}");
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn one_that_ends_soon_is_told_from_one_that_has_ended() {
        let not_before = Timestamp::from_ms(1_800_000_000_000);
        let not_after = not_before.plus(std::time::Duration::from_hours(24 * 90));
        let names = vec!["shop.example.com".to_owned()];
        let it = Certificate { names, not_before, not_after, from: Origin::File };
        let before = Timestamp::from_ms(not_after.as_ms() - 3_600_000 * 48);
        let text = expiring("shop.example.com", &it, before, Some("no"));
        assert!(text.contains("ends in 48 h") && text.ends_with("The last time: no"), "{text}");
        let text = expiring("shop.example.com", &it, not_after, None);
        assert!(text.contains("ended at") && text.ends_with("browsers refuse it"), "{text}");
    }
}
