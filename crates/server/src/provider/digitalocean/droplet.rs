//! A Droplet as the API tells of it, as far as it matters here.

use std::net::IpAddr;

use serde::Deserialize;

/// A page of the list.
#[derive(Deserialize)]
pub(super) struct Droplets {
    pub(super) droplets: Vec<Droplet>,
    #[serde(default)]
    pub(super) links: Links,
}

/// Where the next page is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Links {
    pages: Option<Pages>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pages {
    next: Option<String>,
}

impl Links {
    pub(super) fn has_next(&self) -> bool {
        self.pages.as_ref().is_some_and(|pages| pages.next.is_some())
    }
}

/// A Droplet.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Droplet {
    pub(super) id: u64,
    pub(super) name: String,
    status: String,
    #[serde(default)]
    networks: Networks,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Networks {
    v4: Vec<Network>,
}

#[derive(Clone, Debug, Deserialize)]
struct Network {
    ip_address: IpAddr,
    #[serde(rename = "type")]
    kind: String,
}

impl Droplet {
    /// Where it is reached, once it runs. The first of its addresses may be a private one: they are
    /// told apart by what they are called.
    pub(super) fn public_address(&self) -> Option<IpAddr> {
        if self.status != "active" {
            return None;
        }
        self.networks.v4.iter().find(|it| it.kind == "public").map(|it| it.ip_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_counts_once_it_is_active() {
        let of = |status: &str| -> Droplet {
            serde_json::from_value(serde_json::json!({
                "id": 7, "name": "shop-1", "status": status,
                "networks": { "v4": [
                    { "ip_address": "10.0.0.2", "type": "private" },
                    { "ip_address": "192.0.2.7", "type": "public" },
                ], "v6": [] },
            }))
            .expect("it is one")
        };
        assert_eq!(of("new").public_address(), None);
        assert_eq!(of("active").public_address(), Some([192, 0, 2, 7].into()));
    }
}
