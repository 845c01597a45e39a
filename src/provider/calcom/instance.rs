//! The address of an instance, in one spelling per instance.

use url::Url;

use crate::egress::{Egress, EgressError};

/// Why an address is no instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    #[error("not a URL like https://api.cal.com/v2")]
    NotAUrl,
    #[error("a query or fragment does not belong here")]
    HasTail,
    /// As far as it can be told without looking the name up: scheme, user name, literal addresses.
    #[error("{0}")]
    Refused(EgressError),
}

/// An instance's URL as a tenant gave it, normalised: without trailing slash, nothing appended.
///
/// Plain http only where the operator's list lets the outgoing client speak it. Ids are unique per instance,
/// so spellings that would make two instances of one (a doubled slash, a dot after the host) are refused.
pub fn parse_instance(text: &str, egress: &Egress) -> Result<Url, InstanceError> {
    let mut url: Url = text.trim().parse().map_err(|_| InstanceError::NotAUrl)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InstanceError::HasTail);
    }
    egress.permits(&url).map_err(InstanceError::Refused)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if path.contains("//") || url.host_str().is_none_or(|host| host.ends_with('.')) {
        return Err(InstanceError::NotAUrl);
    }
    url.set_path(&path);
    Ok(url)
}
