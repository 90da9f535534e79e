//! Where the name of a remote leads.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::is_no_host;
use crate::source::SourceError;
use crate::source::remote::Remote;

/// The longest a name is looked up.
const LOOKED_UP: Duration = Duration::from_secs(10);

/// The addresses the name of a remote leads to. None where nobody can tell: a name may be one that
/// the configuration of SSH or a proxy alone knows, and git says what is wrong with any other.
///
/// # Errors
/// Where one of them is of the local link, or of no host at all.
pub(crate) async fn find(remote: &Remote) -> Result<Vec<IpAddr>, SourceError> {
    let Some((host, port)) = remote.host() else { return Ok(Vec::new()) };
    let looked_up = tokio::time::timeout(LOOKED_UP, tokio::net::lookup_host((host, port))).await;
    let Ok(Ok(found)) = looked_up else { return Ok(Vec::new()) };
    let mut found: Vec<IpAddr> = found.map(|it| it.ip()).collect();
    found.dedup();
    match found.iter().find(|address| is_no_host(**address)) {
        Some(address) => Err(SourceError::NoHost { remote: remote.to_string(), address: *address }),
        None => Ok(found),
    }
}
