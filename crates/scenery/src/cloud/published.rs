//! Documents of the API with everything in them that its contract wants.

use serde_json::{Value, json};

/// A Droplet that is being made.
#[must_use]
pub fn droplet(id: u64, name: &str, tags: &Value) -> Value {
    json!({
        "id": id,
        "name": name,
        "tags": tags,
        "status": "new",
        "locked": true,
        "networks": { "v4": [], "v6": [] },
        "memory": 1024, "vcpus": 1, "disk": 25,
        "created_at": "2026-01-01T00:00:00Z", "features": [], "backup_ids": [],
        "next_backup_window": null, "snapshot_ids": [], "volume_ids": [],
        "image": { "id": 1, "slug": "debian-12-x64", "distribution": "Debian" },
        "size": size(), "size_slug": "s-1vcpu-1gb",
        "region": {
            "name": "Frankfurt 1", "slug": "fra1", "features": [], "available": true, "sizes": [],
        },
    })
}

/// Makes it active, and gives it an address. A private one stands first: it is not the one.
pub fn activate(droplet: &mut Value, address: &str) {
    droplet["status"] = json!("active");
    droplet["locked"] = json!(false);
    droplet["networks"]["v4"] = json!([
        { "ip_address": "10.255.0.1", "netmask": "255.255.0.0", "type": "private" },
        { "ip_address": address, "netmask": "255.255.255.0", "type": "public" },
    ]);
}

/// The size that is taken where nobody says another.
#[must_use]
pub fn size() -> Value {
    json!({
        "slug": "s-1vcpu-1gb", "memory": 1024, "vcpus": 1, "disk": 25, "transfer": 1.0,
        "price_monthly": 6.0, "price_hourly": 0.00893, "regions": ["fra1"], "available": true,
        "description": "Basic",
    })
}
